"""The same content gives the same files, whatever the order, times, owners and modes of the folder are."""

import contextlib
import hashlib
import os
import pathlib
import subprocess
import tempfile
import unittest

import release

EPOCH = 1_700_000_000
CONTROL = "Package: sample\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@localhost>\nDescription: a sample\n"


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


def fill(folder, names, age, umask):
    """The files in this order, as old as that, with modes that the umask leaves."""
    before = os.umask(umask)
    try:
        for name in names:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(name)
            if name.endswith("program"):
                path.chmod(0o777 & ~umask)
            os.utime(path, (EPOCH - age, EPOCH - age))
    finally:
        os.umask(before)
    (folder / "link").symlink_to("bin/program")


class Archive(unittest.TestCase):
    def archive(self, root, names, age, umask):
        fill(root / "content", names, age, umask)
        release.write_archive(root / "content", root / "out.tar.gz", EPOCH)
        return (root / "out.tar.gz").read_bytes()

    def test_order_time_and_umask_do_not_matter(self):
        with scratch() as one, scratch() as two:
            first = self.archive(one, ["bin/program", "share/a", "share/b"], 1000, 0o022)
            self.assertEqual(first, self.archive(two, ["share/b", "share/a", "bin/program"], -5000, 0o077))

    def test_content_matters(self):
        with scratch() as one, scratch() as two:
            self.assertNotEqual(self.archive(one, ["a"], 0, 0o022), self.archive(two, ["b"], 0, 0o022))

    def test_entries(self):
        with scratch() as root:
            self.archive(root, ["bin/program", "share/a"], 0, 0o077)
            listed = subprocess.run(["tar", "-tvzf", root / "out.tar.gz"], capture_output=True, text=True, check=True).stdout.splitlines()
        self.assertEqual([(line.split()[0], line.split()[1]) for line in listed],
                         [("drwxr-xr-x", "root/root"), ("-rwxr-xr-x", "root/root"), ("lrwxrwxrwx", "root/root"),
                          ("drwxr-xr-x", "root/root"), ("-rw-r--r--", "root/root")])


class Package(unittest.TestCase):
    def package(self, root, names, age):
        tree = root / "tree"
        fill(tree / "usr", names, age, 0o022)
        (tree / "DEBIAN").mkdir()
        (tree / "DEBIAN/control").write_text(CONTROL)
        sums = [f"{hashlib.md5(name.encode()).hexdigest()}  usr/{name}\n" for name in names]
        (tree / "DEBIAN/md5sums").write_text("".join(sums))
        (root / "out").mkdir()
        # As CPack may do it: in the order of the list, with the times of the files.
        subprocess.run(["dpkg-deb", "-Zgzip", "--build", tree, root / "sample_1_all.deb"], check=True, capture_output=True,
                       env={key: value for key, value in os.environ.items() if key != "SOURCE_DATE_EPOCH"})
        packed = release.pack_again(root / "sample_1_all.deb", root / "out", EPOCH).read_bytes()
        return (root / "sample_1_all.deb").read_bytes(), packed

    def test_two_packages_of_one_content_become_the_same_bytes(self):
        with scratch() as one, scratch() as two:
            before, first = self.package(one, ["bin/program", "share/a"], 1000)
            other, second = self.package(two, ["share/a", "bin/program"], 2000)
        self.assertNotEqual(before, other)
        self.assertEqual(first, second)


class Checksums(unittest.TestCase):
    def test_sha256sum_accepts_them(self):
        with scratch() as root:
            (root / "b").write_text("2")
            (root / "a").write_text("1")
            (root / "SHA256SUMS").write_text(release.checksums(root))
            checked = subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=root, capture_output=True, text=True)
            self.assertEqual(checked.stdout, "a: OK\nb: OK\n")
            # The list does not contain itself.
            self.assertEqual(release.checksums(root), (root / "SHA256SUMS").read_text())


if __name__ == "__main__":
    unittest.main()
