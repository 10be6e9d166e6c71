#!/usr/bin/env python3
"""Writes the files of a release so that the same content gives the same bytes.

release.py archive FOLDER FILE.tar.gz     the content of FOLDER
release.py packages FOLDER OUTPUT         each .deb below FOLDER, packed again with sorted entries and one time
release.py checksums OUTPUT               SHA256SUMS of the files in OUTPUT

SOURCE_DATE_EPOCH is the time of every entry."""

import gzip
import hashlib
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile


def write_archive(folder, file, epoch):
    """Entries are sorted, belong to root, and have the same two modes everywhere: whether the owner may execute the file decides."""

    def normal(entry):
        entry.mtime = epoch
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        if not entry.issym():
            entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    paths = sorted(folder.rglob("*"), key=lambda path: path.relative_to(folder).as_posix())
    with open(file, "wb") as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=9, mtime=0) as packed:
        with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for path in paths:
                archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=normal)


def pack_again(package, output, epoch):
    """CPack lists files in the order of the folder, which the file system chooses. dpkg-deb sorts them."""
    with tempfile.TemporaryDirectory() as work:
        root = pathlib.Path(work) / "root"
        subprocess.run(["dpkg-deb", "--raw-extract", package, root], check=True)
        sums = root / "DEBIAN" / "md5sums"
        if sums.exists():
            sums.write_text("".join(sorted(sums.read_text().splitlines(keepends=True), key=lambda line: line.split("  ", 1)[1])))
        for path in [root, *root.rglob("*")]:
            os.utime(path, (epoch, epoch), follow_symlinks=False)
        target = output / package.name
        subprocess.run(["dpkg-deb", "--root-owner-group", "--uniform-compression", "-Zxz", "--build", root, target], check=True,
                       stdout=subprocess.DEVNULL,
                       env=os.environ | {"SOURCE_DATE_EPOCH": str(epoch)})
        return target


def checksums(output):
    names = sorted(path.name for path in output.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    return "".join(f"{hashlib.sha256((output / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


def main(verb, first, second=None):
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])
    if verb == "archive":
        write_archive(pathlib.Path(first), second, epoch)
    elif verb == "packages":
        packages = [path for path in sorted(pathlib.Path(first).rglob("*.deb")) if "_CPack_Packages" not in path.parts]
        if not packages:
            sys.exit(f"release.py: no .deb below {first}")
        for package in packages:
            pack_again(package, pathlib.Path(second), epoch)
    elif verb == "checksums":
        (pathlib.Path(first) / "SHA256SUMS").write_text(checksums(pathlib.Path(first)))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
