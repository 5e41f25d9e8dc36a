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

/** Has the provider answer with a picture; what came of it, and what it took. */
async function generateAs(picture: string) {
  const before = await readBooks(user.id);
  const prompt = picturePrompt(picture);
  const answer = await generate(user, { ...LOOPBACK_MODEL, prompt });
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
    [
      "of a type whose size is not read",
      "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAAMCAgICAgMC",
      "image/jpeg",
      LOOPBACK_MODEL.width,
      LOOPBACK_MODEL.height,
    ],
  ])("%s is passed on", async (_, picture, media_type, width, height) => {
    const { answer, charged } = await generateAs(picture);
    expect(answer.status, answer.text).toBe(200);
    expect(answer.body.outputs).toEqual([
      { media_type, width, height, data: picture },
    ]);
    expect(charged).toBe(500);
  });
});
