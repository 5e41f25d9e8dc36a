import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, openBrowser } from "./support/browser.ts";
import { callFunction, userHeaders } from "./support/http.ts";
import { createUser } from "./support/user.ts";

/** Asks for a generation; the address of what came. */
async function urlOf(input: Record<string, unknown>): Promise<string> {
  const answer = await callFunction("generate", {
    method: "POST",
    headers: userHeaders(await createUser()),
    body: JSON.stringify(input),
  });
  expect(answer.status, answer.text).toBe(200);
  return answer.body.outputs[0].url;
}

describe.skipIf(!hasBrowser())(
  "in a real browser (apt-get install chromium)",
  () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await openBrowser();
    });
    afterAll(() => browser?.close());

    test("the placeholder's video plays: frame after frame, for as long as it was asked for", async () => {
      const url = await urlOf({
        type: "video",
        prompt: "a lighthouse at dusk",
        seconds: 2,
        width: 320,
        height: 180,
      });
      const page = await browser.newPage();
      await page.goto(url);
      const played = await page.evaluate(async () => {
        const data = await (await fetch(location.href)).arrayBuffer();
        // deno-lint-ignore no-explicit-any
        const { ImageDecoder, OffscreenCanvas } = globalThis as any;
        const decoder = new ImageDecoder({ data, type: "image/gif" });
        await Promise.all([decoder.tracks.ready, decoder.completed]);
        const { frameCount, repetitionCount } = decoder.tracks.selectedTrack;
        let microseconds = 0;
        const looks = new Set<string>();
        for (let frameIndex = 0; frameIndex < frameCount; frameIndex++) {
          const { image } = await decoder.decode({ frameIndex });
          microseconds += image.duration;
          const { codedWidth: width, codedHeight: height } = image;
          const context = new OffscreenCanvas(width, height).getContext("2d");
          context.drawImage(image, 0, 0);
          looks.add(context.getImageData(0, 0, width, height).data.join());
        }
        return {
          frameCount,
          isEndless: repetitionCount === Infinity,
          seconds: microseconds / 1_000_000,
          looks: looks.size,
        };
      });
      expect(played).toEqual({
        frameCount: 20,
        isEndless: true,
        seconds: 2,
        looks: 16,
      });
    });

    test("the placeholder's speech plays", async () => {
      const prompt = "The lamp is lit.";
      const url = await urlOf({ type: "speech", prompt });
      const page = await browser.newPage();
      await page.goto(url);
      const heard = await page.evaluate(async () => {
        const file = await (await fetch(location.href)).arrayBuffer();
        // deno-lint-ignore no-explicit-any
        const { Audio, OfflineAudioContext } = globalThis as any;
        const audio = new Audio(location.href);
        await new Promise((resolve, reject) => {
          audio.oncanplaythrough = resolve;
          audio.onerror = () => reject(audio.error.message);
        });
        const decoded = await new OfflineAudioContext(1, 1, 8_000)
          .decodeAudioData(file);
        const samples: number[] = [...decoded.getChannelData(0)];
        return {
          seconds: [audio.duration, decoded.duration],
          isLoud: Math.max(...samples) > 0.1,
        };
      });
      const seconds = prompt.length / 16;
      expect(heard).toEqual({ seconds: [seconds, seconds], isLoud: true });
    });
  },
);
