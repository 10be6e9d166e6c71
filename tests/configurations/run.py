#!/usr/bin/env python3
"""Builds the engine as its users do, and uses the results.

Usage: run.py [--work FOLDER] [STEP...]     FOLDER: default build/configurations; STEP: run only these

Prints one line per step, and finally "N passed, N failed". The exit status is 1 if anything failed. A step that
another one `needs` runs first. The output of every command is in FOLDER/STEP.log.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INCLUDE = ROOT / "include"
RELEASE = ROOT / "build/release"
GNU = "g++"
CLANG = "clang++-19"
LIBCXX = "-stdlib=libc++"
STRICT = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
# Mangled names in our namespace or derived from it, and templates and inline functions of the standard library.
OURS_STATIC = r"fanfare_|_Z\w*7fanfare"
STANDARD = r"_ZG?V?Z?T?[VIS]?N?[KRO]*(S[tabsiod]|9__gnu_cxx|10__cxxabi)|_Z(nw|na|dl|da)|DW\.ref\."
JOBS = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count()))


class Failed(Exception):
    """A human-readable description of the failure."""


class Step:
    """A step, with its own folder and log."""

    def __init__(self, work, name):
        self.work = work
        self.log = work / f"{name}.log"
        self.log.write_text("")

    def run(self, *command, fails=False, **options):
        """Runs a command and returns its output, including standard error. If it fails, the step fails."""
        words = [str(word) for word in command]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=1800, env={**os.environ, "LC_ALL": "C"}, check=False, **options)
        with self.log.open("a") as log:
            log.write(f"$ {' '.join(words)}\n{done.stdout}")
        if (done.returncode != 0) != fails:
            raise Failed(f"{' '.join(words)}\n{done.stdout[-4000:]}\nexit status {done.returncode}")
        return done.stdout

    def configure(self, source, build, *settings, fails=False):
        # The cache of an earlier run must not affect this one.
        (build / "CMakeCache.txt").unlink(missing_ok=True)
        return self.run("cmake", "-G", "Ninja", "-S", source, "-B", build, *(f"-D{s}" for s in settings), fails=fails)

    def build(self, folder, *targets):
        self.run("cmake", "--build", folder, "--parallel", JOBS, *(["--target", *targets] if targets else []))


def public_headers():
    return sorted(path.name for path in (INCLUDE / "fanfare").glob("*.h"))


def exported_names():
    """Returns the classes and functions exported by the public headers, except chain.h, nats.h and store.h, which are in no shared library."""
    found = set()
    for name in public_headers():
        if name not in ("chain.h", "nats.h", "store.h"):
            text = (INCLUDE / "fanfare" / name).read_text()
            found.update(re.findall(r"^\s*(?:class|struct) FANFARE_EXPORT (\w+)", text, re.M))
            found.update(re.findall(r"^FANFARE_EXPORT [\w:<>, ]+ (\w+)\(", text, re.M))
    return found


# ---- the steps ----

def headers(step):
    """Compiles every public header alone as C++20, with both compilers and both standard libraries, and all of them as C++23 with each pair."""

    def compile_with(compiler, standard, names):
        try:
            step.run(*compiler, f"-std={standard}", *STRICT, "-fsyntax-only", "-I", INCLUDE, "-x", "c++", "-",
                     input="".join(f"#include <fanfare/{name}>\n" for name in names))
        except Failed as failed:
            return str(failed)
        return ""

    compilers = ([GNU], [CLANG], [CLANG, LIBCXX])
    with concurrent.futures.ThreadPoolExecutor(int(JOBS)) as pool:
        alone = ([GNU], [CLANG, LIBCXX])
        runs = [pool.submit(compile_with, compiler, "c++20", [name]) for compiler in alone for name in public_headers()]
        runs += [pool.submit(compile_with, compiler, "c++23", public_headers()) for compiler in compilers]
    wrong = [run.result() for run in runs if run.result()]
    if wrong:
        raise Failed("\n".join(wrong))


def release(step):
    """Installs the library of the preset "release" (-O3, warnings are errors), moves it, and checks that the tree is complete."""
    prefix = step.work / "prefix"
    if not (RELEASE / "build.ninja").exists():
        step.run("cmake", "--preset", "release", cwd=ROOT)
    step.build(RELEASE, "fanfare_library", "fanfare_shared", "fanfare_store_library", "fanfare_nats_library", "fanfare_chain_library", "example_echo")
    shutil.rmtree(prefix, ignore_errors=True)
    step.run("cmake", "--install", RELEASE, "--prefix", step.work / "first", "--component", "library")
    (step.work / "first").rename(prefix)


def installed(step):
    """A C++20 program with the installed library: static, shared, in a shared object, through pkg-config; both compilers."""
    libraries = library_folder(step)
    for compiler in (GNU, CLANG):
        build = step.work / f"installed-{compiler}"
        step.configure(HERE / "installed", build, f"CMAKE_PREFIX_PATH={step.work / 'prefix'}", f"CMAKE_CXX_COMPILER={compiler}",
                       "CMAKE_BUILD_TYPE=Release")
        step.build(build)
        for program in ("with_static", "with_shared", "with_plugin", "with_pkg_config"):
            step.run(build / program)
        if "_ZN7fanfare6Server" in step.run("nm", "-D", "--defined-only", build / "libplugin.so"):
            raise Failed("the plugin shows the library inside it, although it asks for --exclude-libs")
        if "libfanfare.so.0" not in step.run("ldd", build / "with_shared"):
            raise Failed("with_shared does not use libfanfare.so")
        if "libfanfare.so" in step.run("ldd", build / "with_static") + step.run("ldd", build / "with_pkg_config"):
            raise Failed("a program that asked for the static library uses the shared one")
        step.run(build / "with_store", build / "events")
        if "libsqlite3" in step.run("ldd", build / "with_static"):
            raise Failed("a program that does not use the store needs SQLite")
    search = {**os.environ, "PKG_CONFIG_PATH": str(libraries / "pkgconfig")}
    for package, options in (("fanfare", []), ("fanfare-shared", [f"-Wl,-rpath,{libraries}"])):
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", package], env=search, capture_output=True, text=True, check=True)
        program = step.work / f"pkg-config-{package}"
        step.run(GNU, "-std=c++20", HERE / "main.cc", HERE / "program.cc", "-o", program, *flags.stdout.split(), *options)
        step.run(program)


def consumer(step):
    """A program and a node author's program with what was installed, and the .deb of the library."""
    step.run(HERE / "consumer.sh", RELEASE, GNU)


def components(step):
    """An error names the component that is missing, and those that exist."""
    prefix = f"CMAKE_PREFIX_PATH={step.work / 'prefix'}"
    unknown = step.configure(HERE / "installed", step.work / "unknown", prefix, "COMPONENTS=static;kitchen", fails=True)
    for words in ("kitchen", "static, shared, store, nats, chain"):
        if words not in re.sub(r"\s+", " ", unknown):
            raise Failed(f"the error of an unknown component does not say \"{words}\"")
    # As if the engine had been built without this component.
    package = step.work / "without-chain/lib/cmake/fanfare"
    shutil.rmtree(package, ignore_errors=True)
    shutil.copytree(next((step.work / "prefix").rglob("fanfare-config.cmake")).parent, package,
                    ignore=shutil.ignore_patterns("fanfare-chain-*"))
    absent = step.configure(HERE / "installed", step.work / "absent", f"CMAKE_PREFIX_PATH={step.work / 'without-chain'}",
                            "COMPONENTS=chain", fails=True)
    if "was installed without" not in re.sub(r"\s+", " ", absent):
        raise Failed("the error of a component that was not installed does not say so")
    step.configure(HERE / "installed", step.work / "known", prefix, "COMPONENTS=static;shared;store")


def symbols(step):
    """Neither library exports a foreign symbol."""
    libraries = library_folder(step)
    ours = re.compile(r"_Z(?:N[KRO]*|T[VIS]N)7fanfare(?:3api|3rpc)?(\d+)(\w+)")
    seen = set()
    for line in step.run("nm", "-D", "--defined-only", libraries / "libfanfare.so").splitlines():
        name = line.split()[-1]
        found = ours.match(name)
        owner = found and found.group(2)[:int(found.group(1))]
        if owner not in exported_names():
            raise Failed(f"libfanfare.so shows {name}, which no public header marks with FANFARE_EXPORT")
        seen.add(owner)
    missing = exported_names() - seen - {"BadExpectedAccess", "WebSocketRoute"}  # these two are header-only
    if missing:
        raise Failed(f"libfanfare.so shows nothing of {', '.join(sorted(missing))}")
    for line in step.run("nm", "-A", "--defined-only", "--extern-only", libraries / "libfanfare.a").splitlines():
        kind, name = line.split()[-2:]
        # Weak symbols are instantiated templates; those of the standard library are the same in every program.
        may = OURS_STATIC + (f"|{STANDARD}" if kind in "WVu" else "")
        if not re.match(may, name):
            raise Failed(f"libfanfare.a defines {name} ({kind})")


def hardening(step):
    """Checks position independence, read-only relocations bound at start, stack protector and fortified calls."""
    subjects = {RELEASE / "examples/echo": True, library_folder(step) / "libfanfare.so": False}
    # ./dev test has built it.
    program = RELEASE / "apps/fanfare/fanfare"
    if program.exists():
        subjects[program] = True
    for subject, is_program in subjects.items():
        text = step.run("readelf", "--wide", "--file-header", "--dynamic", "--program-headers", "--dyn-syms", subject)
        wanted = {
            "position independent": r"Type: +DYN",
            "RELRO": r"GNU_RELRO",
            "BIND_NOW": r"BIND_NOW|FLAGS_1.*NOW",
            "a stack protector": r"__stack_chk_fail",
            "fortified calls": r"__\w+_chk\b(?<!__stack_chk)",
            "a stack that is not executable": r"GNU_STACK .* RW +0x",
        }
        if is_program:
            wanted["PIE"] = r"FLAGS_1.*PIE"
        for what, pattern in wanted.items():
            if not re.search(pattern, text):
                raise Failed(f"{subject} is without {what}")
        if re.search(r"\bTEXTREL\b|RWE", text):
            raise Failed(f"{subject} has text that is written to, or memory that is both")


def configure_fetched(step, name, *settings):
    build = step.work / name
    said = step.configure(HERE / "fetched", build, f"FANFARE_SOURCE={ROOT}", "CMAKE_BUILD_TYPE=Debug", *settings)
    if "GTest" in said or "benchmark" in said:
        raise Failed("somebody else's project is asked for what only our tests need")
    return build


def fetched(step):
    """FetchContent in a C++20 project with g++: changes none of the project's settings. It is built by the step libcxx."""
    build = configure_fetched(step, "fetched-debug", "WANT_CHAIN=ON")
    check_fetched(step, build)
    planned = step.run("ninja", "-C", build, "-n", "-v")
    for unwanted in ("libfanfare-chain.a", "libfanfare-nats.a", "libfanfare-store.a", "libfanfare.so"):
        if unwanted in planned:
            raise Failed(f"{unwanted} would be built, and nothing links it")


def check_fetched(step, build):
    tests = step.run("ctest", "--test-dir", build, "--show-only")
    if "Total Tests: 1\n" not in tests:
        raise Failed(f"their tests are now\n{tests}")
    if "-Werror" in step.run("ninja", "-C", build, "-t", "commands", "fanfare_library"):
        raise Failed("our warnings are errors in somebody else's project")
    for unwanted in ("compile_commands.json", "CPackConfig.cmake"):
        if (build / unwanted).exists():
            raise Failed(f"{unwanted} in somebody else's build folder")
    for unwanted in ("echo", "fanfare", "*_test", "libfanfare-chain.a", "libfanfare-nats.a", "libfanfare-store.a", "libfanfare.so"):
        if found := [path for path in build.rglob(unwanted) if path.is_file()]:
            raise Failed(f"{found[0]} was built, and nothing links it")


def libcxx(step):
    """FetchContent in Debug with clang and libc++: builds only the library, and tests it."""
    build = configure_fetched(step, "fetched-libcxx", f"CMAKE_CXX_COMPILER={CLANG}", f"CMAKE_C_COMPILER={CLANG.replace('++', '')}",
                              f"CMAKE_CXX_FLAGS={LIBCXX}", "CMAKE_CXX_FLAGS_DEBUG=-g1", "FANFARE_CHAIN=OFF", "FANFARE_UNITY=ON",
                              "FANFARE_UNITY_FILES=64")
    step.build(build)
    step.run("ctest", "--test-dir", build, "--no-tests=error", "--output-on-failure")
    check_fetched(step, build)


def library_folder(step):
    return next((step.work / "prefix").rglob("libfanfare.a")).parent


# In this order; the others use the result of `release`.
STEPS = {step.__name__: step for step in (headers, release, installed, consumer, components, symbols, hardening, fetched, libcxx)}
NEEDS_RELEASE = {"installed", "consumer", "components", "symbols", "hardening"}


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--work", type=pathlib.Path, default=ROOT / "build/configurations")
    arguments.add_argument("steps", nargs="*", metavar="STEP", help=", ".join(STEPS))
    chosen = arguments.parse_args()
    names = chosen.steps or list(STEPS)
    if unknown := set(names) - set(STEPS):
        arguments.error(f"no step is called {', '.join(sorted(unknown))}; there are {', '.join(STEPS)}")
    if NEEDS_RELEASE & set(names) and "release" not in names:
        names.insert(0, "release")
    chosen.work.mkdir(parents=True, exist_ok=True)
    work = chosen.work.resolve()
    passed = failed = 0
    for name in (name for name in STEPS if name in names):
        start = time.monotonic()
        try:
            STEPS[name](Step(work, name))
            passed += 1
            print(f"ok    {name:12} {time.monotonic() - start:5.0f} s", flush=True)
        except (Failed, OSError, StopIteration, subprocess.SubprocessError) as error:
            failed += 1
            print(f"FAIL  {name:12} {time.monotonic() - start:5.0f} s\nError {error}", flush=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
