import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { HEAD_BYTES, sniff } from "../functions/_shared/media_types.ts";
import { mp4, webm } from "./support/films.ts";

describe("a video's length by its first bytes", () => {
  test.each([
    ["an MP4", mp4(2_400), 2.4],
    ["an MP4 of another time scale", mp4(57_600, { scale: 24_000 }), 2.4],
    ["an MP4 with long numbers", mp4(2_400, { version: 1 }), 2.4],
    [
      "an MP4 whose index comes last, and near",
      mp4(2_400, { isIndexFirst: false }),
      2.4,
    ],
    ["a WebM", webm(2_400), 2.4],
    ["a WebM with short numbers", webm(2_400, { bytes: 4 }), 2.4],
    ["a WebM of another scale", webm(24_000, { scale: 100_000 }), 2.4],
    [
      "a WebM of a recorder that knows its length",
      webm(2_400, { isLive: true }),
      2.4,
    ],
  ])("is read of %s", (_, film, seconds) => {
    expect(sniff(film)).toMatchObject({ types: ["video"], seconds });
  });

  test.each([
    ["an MP4 in fragments", mp4(2_400, { isFragmented: true })],
    ["an MP4 that says 0", mp4(0)],
    ["an MP4 that says that it does not know", mp4(0xffffffff)],
    ["an MP4 without a time scale", mp4(2_400, { scale: 0 })],
    [
      "an MP4 whose index comes too late",
      mp4(2_400, { isIndexFirst: false, frames: Buffer.alloc(HEAD_BYTES) }),
    ],
    [
      "an MP4 whose frames have a size that cannot be",
      mp4(2_400, { isIndexFirst: false, frames: Buffer.from("\0\0\0\0mdat") }),
    ],
    ["a WebM that does not say", webm(undefined)],
    ["a WebM that says 0", webm(0)],
    ["a WebM that says what is no number", webm(NaN)],
    ["a WebM of endless length", webm(Infinity)],
    ["a WebM of less than nothing", webm(-4)],
  ])("is not known of %s", (_, film) => {
    const found = sniff(film);
    expect(found).toMatchObject({ types: ["video"] });
    expect(found).not.toHaveProperty("seconds");
  });

  test("is never anything else, for any bytes", () => {
    const films = fc.constantFrom(
      mp4(2_400),
      mp4(2_400, { version: 1 }),
      webm(2_400, { scale: 1_000_000 }),
      webm(2_400, { isLive: true }),
    );
    const changes = fc.array(
      fc.tuple(fc.nat(299), fc.integer({ min: 0, max: 255 })),
      { minLength: 1, maxLength: 6 },
    );
    const broken = fc.tuple(films, changes, fc.nat(2_500));
    fc.assert(
      fc.property(broken, ([film, changes, length]) => {
        const head = Buffer.from(film.subarray(0, length));
        for (const [at, byte] of changes) {
          if (at < head.length) head[at] = byte;
        }
        const { seconds = 1 } = sniff(head) ?? {};
        expect(seconds > 0 && Number.isFinite(seconds)).toBe(true);
      }),
      { numRuns: 5_000 },
    );
  });
});
