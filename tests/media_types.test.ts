import { describe, expect, test } from "vitest";
import { sniff } from "../functions/_shared/media_types.ts";
import { PIXEL } from "./support/openai_server.ts";

/** A file that begins so, and has some bytes more. */
function file(...parts: (string | number[])[]): Uint8Array {
  const head = parts.map((part) =>
    typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part)
  );
  return Buffer.concat([...head, Buffer.alloc(64)]);
}

const SIZE = [0, 0, 0, 0x20];
const OGG = ["OggS", Array(24).fill(0)] as const;
const EBML = [0x1a, 0x45, 0xdf, 0xa3, 0x9f, 0x42, 0x82, 0x84];

describe("a file's type by its first bytes", () => {
  test.each([
    ["PNG", Buffer.from(PIXEL, "base64"), "image/png", "png", "image"],
    ["GIF", file("GIF89a", [2, 0, 1, 0]), "image/gif", "gif", "video"],
    ["MP4", file(SIZE, "ftypisom"), "video/mp4", "mp4", "video"],
    [
      "MP4 of another brand",
      file(SIZE, "ftypmp42"),
      "video/mp4",
      "mp4",
      "video",
    ],
    ["WebM", file(EBML, "webm"), "video/webm", "webm", "video"],
    ["WAV", file("RIFF", SIZE, "WAVEfmt "), "audio/wav", "wav", "speech"],
    ["Opus", file(...OGG, "OpusHead"), "audio/ogg", "ogg", "speech"],
    ["Vorbis", file(...OGG, "\x01vorbis"), "audio/ogg", "ogg", "speech"],
    ["FLAC", file("fLaC"), "audio/flac", "flac", "speech"],
    ["AAC", file([0xff, 0xf1]), "audio/aac", "aac", "speech"],
    ["MP3 with tags", file("ID3\x03"), "audio/mpeg", "mp3", "speech"],
    ["MP3", file([0xff, 0xfb, 0x90]), "audio/mpeg", "mp3", "speech"],
  ])("%s", (_, head, mediaType, extension, type) => {
    expect(sniff(head)).toMatchObject({ mediaType, extension, types: [type] });
  });

  test("comes with the size of what has one", () => {
    expect(sniff(file("GIF89a", [2, 0, 1, 0]))).toMatchObject({
      width: 2,
      height: 1,
    });
    expect(sniff(file(SIZE, "ftypisom"))).not.toHaveProperty("width");
  });

  // What a browser would run, what it does not play, and what only looks like one of ours.
  test.each([
    ["a page", file("<!doctype html><script>alert(1)</script>")],
    [
      "a drawing that may have a script",
      file('<svg xmlns="http://www.w3.org/2000/svg">'),
    ],
    ["a drawing behind text of XML", file('<?xml version="1.0"?><svg>')],
    ["a PDF", file("%PDF-1.7")],
    ["an archive", file("PK\x03\x04")],
    ["a program", file("\x7fELF")],
    ["HEIC, which is built as MP4 is", file(SIZE, "ftypheic")],
    ["Matroska, which is built as WebM is", file(EBML, "matroska")],
    ["video in Ogg", file(...OGG, "\x80theora")],
    ["AVI, which is built as WAV is", file("RIFF", SIZE, "AVI LIST")],
    ["an MPEG of layer two", file([0xff, 0xfd])],
    ["a GIF without a size", file("GIF89a", [0, 0, 0, 0])],
    ["too little", Buffer.from("fLaC")],
    ["nothing", new Uint8Array()],
  ])("%s has none", (_, head) => {
    expect(sniff(head)).toBeUndefined();
  });
});
