"""The SBOM of a small program that is built here: it lists what that program loads, and only that."""

import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

import sbom

EPOCH = 1_700_000_000
LOCK = {"packages": {
    "": {"name": "sample"},
    "app": {"version": "1.0.0"},
    "node_modules/@scope/shown": {"version": "2.0.0", "license": "MIT", "resolved": "https://registry.example/shown.tgz",
                                  "integrity": "sha512-" + "AAAA" * 21 + "AA=="},
    "node_modules/inner/node_modules/nested": {"version": "3.0.0", "license": "ISC"},
    "node_modules/only-tests": {"version": "4.0.0", "dev": True},
    "node_modules/@scope/app": {"resolved": "app", "link": True}}}
SOURCE = '#include <curl/curl.h>\n#include <stdio.h>\nint main(void) { printf("fanfare 9.8.7\\n%s\\n", curl_version()); return 0; }\n'


@unittest.skipUnless(shutil.which("dpkg") and shutil.which("gcc"), "needs dpkg and a compiler")
class Sbom(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name)
        cls.prefix = root / "prefix"
        (cls.prefix / "bin").mkdir(parents=True)
        (cls.prefix / "share/fanfare/web").mkdir(parents=True)
        (cls.prefix / "share/fanfare/web/index.html").write_text("<p>")
        (root / "main.c").write_text(SOURCE)
        subprocess.run(["gcc", root / "main.c", "-o", cls.prefix / "bin/fanfare", "-lcurl"], check=True)
        (root / "lock.json").write_text(json.dumps(LOCK))
        cls.text = cls.printed(root)
        cls.document = json.loads(cls.text)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    @classmethod
    def printed(cls, root):
        return subprocess.run(["python3", sbom.__file__, cls.prefix, root / "lock.json", "c0ffee"], check=True, capture_output=True,
                              text=True, env=os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)}).stdout

    def relations(self, kind):
        names = {entry["SPDXID"]: entry["name"] for entry in self.document["packages"]}
        return {names[entry["relatedSpdxElement"]] for entry in self.document["relationships"]
                if entry["relationshipType"] == kind and entry["relatedSpdxElement"] in names}

    def test_direct_links_and_what_they_load(self):
        self.assertEqual(self.relations("DYNAMIC_LINK"), {"libcurl4", "libc6"})
        indirect = self.relations("DEPENDS_ON")
        self.assertTrue({"libssl3", "zlib1g", "libnghttp2-14"} <= indirect, indirect)
        self.assertNotIn("libcurl4", indirect)
        self.assertNotIn("libsqlite3-0", indirect)
        self.assertEqual(self.relations("STATIC_LINK"), set(sbom.COMPILED_IN))

    def test_npm_packages_are_those_of_the_bundle(self):
        self.assertEqual(self.relations("CONTAINS"), {"@scope/shown", "nested"})
        shown = next(entry for entry in self.document["packages"] if entry["name"] == "@scope/shown")
        self.assertEqual(shown["externalRefs"][0]["referenceLocator"], "pkg:npm/%40scope/shown@2.0.0")
        self.assertEqual(shown["checksums"], [{"algorithm": "SHA512", "checksumValue": "00" * 64}])

    def test_versions_are_those_of_dpkg(self):
        zlib = next(entry for entry in self.document["packages"] if entry["name"] == "zlib1g")
        version = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", "zlib1g"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(zlib["versionInfo"], version)
        ours = next(entry for entry in self.document["packages"] if entry["name"] == "fanfare")
        self.assertEqual((ours["versionInfo"], ours["sourceInfo"]), ("9.8.7", "commit c0ffee"))

    def test_the_document_is_whole(self):
        document = self.document
        self.assertEqual((document["spdxVersion"], document["dataLicense"]), ("SPDX-2.3", "CC0-1.0"))
        self.assertEqual(document["creationInfo"]["created"], "2023-11-14T22:13:20Z")
        ids = ["SPDXRef-DOCUMENT"] + [entry["SPDXID"] for entry in document["packages"] + document["files"]]
        self.assertEqual(len(ids), len(set(ids)))
        for name in ids:
            self.assertTrue(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name), name)
        for relation in document["relationships"]:
            self.assertIn(relation["spdxElementId"], ids)
            self.assertIn(relation["relatedSpdxElement"], ids)
        for entry in document["files"]:
            self.assertEqual([sum["algorithm"] for sum in entry["checksums"]], ["SHA1", "SHA256"])

    def test_only_our_package_has_files_and_its_code_is_theirs(self):
        analyzed = [entry for entry in self.document["packages"] if entry["filesAnalyzed"]]
        self.assertEqual([entry["name"] for entry in analyzed], ["fanfare"])
        sums = [hashlib.sha1((self.prefix / entry["fileName"]).read_bytes()).hexdigest() for entry in self.document["files"]]
        self.assertEqual(len(sums), 2)
        self.assertEqual(analyzed[0]["packageVerificationCode"]["packageVerificationCodeValue"],
                         hashlib.sha1("".join(sorted(sums)).encode()).hexdigest())

    def test_the_same_input_gives_the_same_bytes(self):
        self.assertEqual(self.text, self.printed(pathlib.Path(self.folder.name)))


if __name__ == "__main__":
    unittest.main()
