#!/usr/bin/env python3
"""The example `pixels`: a room with a file and proofs, and one in memory. Usage: pixels_test.py FOLDER-OF-THE-PROGRAMS"""

import asyncio
import json
import subprocess
import tempfile
import unittest

import websockets
from examples_test import PATIENCE, PROGRAMS, serving, together


class Pixels(unittest.TestCase):
    async def first(self, socket, kind):
        while True:
            message = json.loads(await socket.recv())
            if message["type"] == kind:
                return message

    def test_pixels_survive_kill_9(self):
        async def draw(url):
            async with asyncio.timeout(PATIENCE), websockets.connect(f"{url}/canvas/main?name=anna") as socket:
                await self.first(socket, "canvas_state")
                pixel = {"type": "pixel_update", "x": 199, "y": 7, "color": "#102030", "id": 1}
                await socket.send(json.dumps(pixel))
                self.assertIn("fanfare", (await self.first(socket, "error"))["message"])
                await socket.send(json.dumps(pixel | {"proof": "fanfare"}))
                await self.first(socket, "ok")

        async def look(url):
            async with asyncio.timeout(PATIENCE), websockets.connect(f"{url}/canvas/main") as socket:
                state = await self.first(socket, "canvas_state")
                self.assertEqual([(p["x"], p["y"], p["color"]) for p in state["pixels"]], [(199, 7, "#102030")])
                await socket.send(json.dumps({"type": "pixel_update", "x": 1, "y": 1, "color": "#102030"}))
                self.assertEqual((await self.first(socket, "error"))["code"], "not_permitted")

        with tempfile.TemporaryDirectory() as folder:
            arguments = [PROGRAMS / "pixels", f"{folder}/art", "0", "full"]
            with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
                asyncio.run(draw(process.stdout.readline().strip()))
                process.kill()
            with serving("pixels", f"{folder}/art", "0", "full") as url:
                asyncio.run(look(url))
                ended = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(ended.returncode, 1)
                self.assertIn("another program", ended.stderr)

    def test_a_room_in_memory_with_a_palette(self):
        async def main():
            async with websockets.connect(f"{url}/canvas/scratch") as socket:
                self.assertEqual((await self.first(socket, "welcome"))["width"], 1000)
                await socket.send(json.dumps({"type": "pixel_update", "x": 1, "y": 1, "color": "#ff0000", "id": 1}))
                await self.first(socket, "ok")

        with tempfile.TemporaryDirectory() as folder, serving("pixels", f"{folder}/art", "0") as url:
            together(main)


if __name__ == "__main__":
    unittest.main()
