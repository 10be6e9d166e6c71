#!/usr/bin/env python3
"""Prints the SBOM of an installed fanfare as SPDX 2.3 JSON. Usage: sbom.py PREFIX PACKAGE_LOCK COMMIT

It lists what the program PREFIX/bin/fanfare really loads, found by ldd and attributed to Debian packages by dpkg; what is compiled
into it (HTTP parser, command line); and the npm packages of the dashboard, which are those of the lock file that the bundle can contain.
SOURCE_DATE_EPOCH is the time of the document."""

import base64
import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

# Debian packages whose code is compiled into the program, so that ldd does not show them: package and licence.
COMPILED_IN = {"node-llhttp": "MIT", "libcli11-dev": "BSD-3-Clause"}
NAMESPACE = "https://fanfare.invalid/spdx/"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def needed(file):
    """The shared libraries that the file itself asks for."""
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", run("readelf", "--dynamic", "--wide", file)))


def loaded(program):
    """All shared libraries that the program loads, also those that its libraries ask for: {name: path}."""
    libraries = dict(re.findall(r"^\s*(\S+) => (/\S+) \(", run("ldd", program), re.MULTILINE))
    lacking = re.findall(r"^\s*(\S+) => not found", run("ldd", program), re.MULTILINE)
    if lacking:
        sys.exit(f"sbom.py: not found: {', '.join(lacking)}")
    return libraries


def owner_of(path):
    """The Debian package of a file. dpkg may know it by its name without /usr, or only by the name that a link leads to."""
    real = os.path.realpath(path)
    for name in dict.fromkeys([path, real, path.removeprefix("/usr"), real.removeprefix("/usr"), f"/usr{path}"]):
        found = subprocess.run(["dpkg", "--search", name], capture_output=True, text=True)
        if found.returncode == 0:
            return found.stdout.splitlines()[0].split(":")[0]
    sys.exit(f"sbom.py: no Debian package has {path}")


def identifier(text):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)


def package(name, version, purl, **more):
    entry = {"name": name, "SPDXID": identifier(f"{purl.split('/')[0].removeprefix('pkg:')}-{name}"), "versionInfo": version,
             "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION",
             "copyrightText": "NOASSERTION",
             "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}]}
    return entry | more


def escaped(version):
    return version.replace("+", "%2B").replace(":", "%3A")


def debian_package(name, **more):
    version, source, architecture = run("dpkg-query", "-W", "-f", "${Version}\n${source:Package}\n${Architecture}\n", name).splitlines()[:3]
    purl = f"pkg:deb/debian/{escaped(name)}@{escaped(version)}?arch={architecture}&distro=debian-12"
    return package(name, version, purl, supplier="Organization: Debian", sourceInfo=f"Debian source package {source}", **more)


def npm_packages(lock):
    """The packages that the dashboard's bundle can contain. Those for development only build and test it, and links are our own."""
    for path, entry in sorted(lock["packages"].items()):
        name = path.rpartition("node_modules/")[2]
        if not path.startswith("node_modules/") or entry.get("dev") or entry.get("link"):
            continue
        more = {"licenseDeclared": entry.get("license", "NOASSERTION"), "downloadLocation": entry.get("resolved", "NOASSERTION")}
        if entry.get("integrity", "").startswith("sha512-"):
            digest = base64.b64decode(entry["integrity"].removeprefix("sha512-")).hex()
            more["checksums"] = [{"algorithm": "SHA512", "checksumValue": digest}]
        yield package(name, entry["version"], f"pkg:npm/{name.replace('@', '%40')}@{entry['version']}", **more)


def file_entry(prefix, path):
    content = path.read_bytes()
    name = path.relative_to(prefix).as_posix()
    return {"fileName": f"./{name}", "SPDXID": identifier(f"File-{name}"),
            "checksums": [{"algorithm": "SHA1", "checksumValue": hashlib.sha1(content).hexdigest()},
                          {"algorithm": "SHA256", "checksumValue": hashlib.sha256(content).hexdigest()}]}


def verification_code(files):
    """SPDX 2.3, 7.9: of all files of the package."""
    sums = sorted(entry["checksums"][0]["checksumValue"] for entry in files)
    return hashlib.sha1("".join(sums).encode()).hexdigest()


def document(prefix, lock, commit, version, time):
    program = prefix / "bin/fanfare"
    files = [file_entry(prefix, path) for path in sorted(prefix.rglob("*")) if path.is_file() and not path.is_symlink()]
    ours = package("fanfare", version, f"pkg:generic/fanfare@{version}", licenseConcluded="Apache-2.0", licenseDeclared="Apache-2.0",
                   supplier="Organization: The Fanfare authors", primaryPackagePurpose="APPLICATION", sourceInfo=f"commit {commit}",
                   filesAnalyzed=True, packageVerificationCode={"packageVerificationCodeValue": verification_code(files)})
    root = ours["SPDXID"]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", root)] + [(root, "CONTAINS", entry["SPDXID"]) for entry in files]

    direct = needed(program)
    by_owner = {}  # package: whether the program itself asks for one of its libraries
    for name, path in sorted(loaded(program).items()):
        owner = owner_of(path)
        by_owner[owner] = by_owner.get(owner, False) or name in direct
    packages = [ours]
    for owner, is_direct in sorted(by_owner.items()):
        packages.append(debian_package(owner))
        kind = ("DYNAMIC_LINK", "the program links it") if is_direct else ("DEPENDS_ON", "a library that the program links loads it")
        relations.append((root, kind[0], packages[-1]["SPDXID"], kind[1]))
    for name, licence in sorted(COMPILED_IN.items()):
        packages.append(debian_package(name, licenseDeclared=licence))
        relations.append((root, "STATIC_LINK", packages[-1]["SPDXID"], "compiled into the program"))
    if (prefix / "share/fanfare/web/index.html").exists():
        for entry in npm_packages(lock):
            packages.append(entry)
            relations.append((root, "CONTAINS", entry["SPDXID"], "in the bundle of the dashboard"))
    created = datetime.datetime.fromtimestamp(time, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"fanfare-{version}",
        "documentNamespace": f"{NAMESPACE}fanfare-{version}-{commit}",
        "creationInfo": {"created": created, "creators": ["Organization: The Fanfare authors", "Tool: sbom.py"]},
        "packages": packages, "files": files,
        "relationships": [{"spdxElementId": entry[0], "relationshipType": entry[1], "relatedSpdxElement": entry[2]}
                          | ({"comment": entry[3]} if len(entry) > 3 else {}) for entry in relations],
    }


def main(prefix, lock, commit):
    prefix = pathlib.Path(prefix)
    version = run(str(prefix / "bin/fanfare"), "--version").split()[1]
    lock = json.loads(pathlib.Path(lock).read_text())
    json.dump(document(prefix, lock, commit, version, int(os.environ["SOURCE_DATE_EPOCH"])), sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
