import { beforeAll, describe, expect, test } from "vitest";
import { readBooks } from "./support/database.ts";
import { generate } from "./support/http.ts";
import { LOOPBACK_MODEL } from "./support/models.ts";
import { picturePrompt, PIXEL } from "./support/openai_server.ts";
import { UNHURRIED_PLAN } from "./support/plans.ts";
import { createUser, type TestUser } from "./support/user.ts";

let user: TestUser;
beforeAll(async () => {
  user = await createUser({ credits: 100_000, plan: UNHURRIED_PLAN });
});

/** The picture of one pixel, whose header says another size in another chunk. */
function png(width: number, height: number, chunk = "IHDR"): string {
  const picture = Buffer.from(PIXEL, "base64");
  picture.write(chunk, 12);
  picture.writeUInt32BE(width, 16);
  picture.writeUInt32BE(height, 20);
  return picture.toString("base64");
}

// Pictures of 24 x 16 pixels, as cjpeg and cwebp write them.
const JPEG = bytes(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHR",
  "ofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wAALCAAQABgBAREA/8QA",
  "FQABAQAAAAAAAAAAAAAAAAAAAAX/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oACAEBAAA/AJ",
  "IAP//Z",
);
const PROGRESSIVE_JPEG = bytes(
  "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHR",
  "ofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/wgALCAAQABgBAREA/8QA",
  "FQABAQAAAAAAAAAAAAAAAAAAAAT/2gAIAQEAAAABkB//xAAUEAEAAAAAAAAAAAAAAAAAAA",
  "Ag/9oACAEBAAEFAl//xAAUEAEAAAAAAAAAAAAAAAAAAAAg/9oACAEBAAY/Al//xAAUEAEA",
  "AAAAAAAAAAAAAAAAAAAg/9oACAEBAAE/IV//2gAIAQEAAAAQA//EABQQAQAAAAAAAAAAAA",
  "AAAAAAACD/2gAIAQEAAT8QX//Z",
);
const LOSSY_WEBP = bytes(
  "UklGRjoAAABXRUJQVlA4IC4AAACwAgCdASoYABAAPzmGulOvKKWisAgB4CcJQAAPZAAA/s",
  "u3/5HYQ3ZY4mtgGAAA",
);
const LOSSLESS_WEBP = bytes(
  "UklGRh4AAABXRUJQVlA4TBEAAAAvF8ADAAdQqOIVuf+BiOh/AAA=",
);
const WEBP_WITH_ALPHA = bytes(
  "UklGRl4AAABXRUJQVlA4WAoAAAAQAAAAFwAADwAAQUxQSAoAAAABB1DAiAhERP8DVlA4IC",
  "4AAACwAgCdASoYABAAPzmGulOvKKWisAgB4CcJQAAPZAAA/su3/5HYQ3ZY4mtgGAAA",
);

function bytes(...base64: string[]): Buffer {
  return Buffer.from(base64.join(""), "base64");
}

/** The picture, with these bytes in place of its own from an offset on. */
function changed(picture: Buffer, offset: number, ...to: number[]): string {
  const copy = Buffer.from(picture);
  copy.set(to, offset);
  return copy.toString("base64");
}

/** Where a JPEG says its height, two bytes, and then its width. */
const SIZE_OF_JPEG = JPEG.indexOf(Buffer.from([0xff, 0xc0])) + 5;

/** The JPEG with fill bytes before the segment that has its size. */
const JPEG_WITH_FILL = Buffer.concat([
  JPEG.subarray(0, SIZE_OF_JPEG - 5),
  Buffer.from([0xff, 0xff]),
  JPEG.subarray(SIZE_OF_JPEG - 5),
]).toString("base64");

/** The JPEG with this much before its size, in segments as long as there are. */
function jpegBehind(metadata: number): string {
  const segment = Buffer.alloc(65_537);
  segment.writeUInt32BE(0xffebffff);
  const segments = Array(Math.ceil(metadata / segment.length)).fill(segment);
  const [start, rest] = [JPEG.subarray(0, 20), JPEG.subarray(20)];
  return Buffer.concat([start, ...segments, rest]).toString("base64");
}

/** Has the provider answer with a picture; what came of it, and what it took. */
async function generateAs(picture: string) {
  const before = await readBooks(user.id);
  const prompt = picturePrompt(picture);
  const answer = await generate(user, {
    ...LOOPBACK_MODEL,
    prompt,
    response_format: "base64",
  });
  const { balance } = await readBooks(user.id);
  return { answer, charged: before.balance - balance };
}

describe("a provider's picture", () => {
  test.each([
    ["0 x 4294967295", png(0, 4_294_967_295)],
    ["512 x 0", png(512, 0)],
    ["65536 x 512", png(65_536, 512)],
    ["512 x 2147483648", png(512, 2_147_483_648)],
    ["who knows how many", png(512, 512, "tEXt")],
    ["24 x 0 (JPEG)", changed(JPEG, SIZE_OF_JPEG, 0, 0)],
    ["0 x 16 (JPEG)", changed(JPEG, SIZE_OF_JPEG + 2, 0, 0)],
    [
      "no size (a JPEG that breaks off)",
      JPEG.subarray(0, SIZE_OF_JPEG).toString("base64"),
    ],
    ["no size within 256 KiB (JPEG)", jpegBehind(262_144)],
    ["24 x 0 (WebP)", changed(LOSSY_WEBP, 28, 0, 0)],
    ["16777216 x 16 (WebP)", changed(WEBP_WITH_ALPHA, 24, 255, 255, 255)],
    [
      "no size (a WebP that breaks off)",
      LOSSY_WEBP.subarray(0, 27).toString("base64"),
    ],
    [
      "no size (a WebP without a picture)",
      changed(LOSSY_WEBP, 12, ...Buffer.from("JUNK")),
    ],
  ])("with an invalid size (%s) is refunded", async (_, picture) => {
    const { answer, charged } = await generateAs(picture);
    expect(answer.status, answer.text).toBe(502);
    expect(answer.body.reason).toBe("broken_response");
    expect(charged).toBe(0);
  });

  // Models that know a few sizes only make the nearest.
  test.each([
    ["of another size", png(1_024, 768), "image/png", 1_024, 768],
    ["of the largest size", png(65_535, 65_535), "image/png", 65_535, 65_535],
    ["in JPEG", JPEG.toString("base64"), "image/jpeg", 24, 16],
    [
      "in progressive JPEG",
      PROGRESSIVE_JPEG.toString("base64"),
      "image/jpeg",
      24,
      16,
    ],
    [
      "in JPEG of the largest size",
      changed(JPEG, SIZE_OF_JPEG, 255, 255, 255, 255),
      "image/jpeg",
      65_535,
      65_535,
    ],
    ["in JPEG behind a profile", jpegBehind(150_000), "image/jpeg", 24, 16],
    ["in JPEG with fill bytes", JPEG_WITH_FILL, "image/jpeg", 24, 16],
    ["in lossy WebP", LOSSY_WEBP.toString("base64"), "image/webp", 24, 16],
    [
      "in lossless WebP",
      LOSSLESS_WEBP.toString("base64"),
      "image/webp",
      24,
      16,
    ],
    [
      "in WebP with alpha",
      WEBP_WITH_ALPHA.toString("base64"),
      "image/webp",
      24,
      16,
    ],
  ])("%s is passed on", async (_, picture, media_type, width, height) => {
    const { answer, charged } = await generateAs(picture);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.outputs).toEqual([{
      path: expect.stringMatching(`^${user.id}/${answer.body.job_id}/0[.]`),
      media_type,
      bytes: Buffer.from(picture, "base64").length,
      width,
      height,
      data: picture,
    }]);
    expect(charged).toBe(500);
  });
});
