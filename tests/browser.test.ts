import type { SupabaseClient } from "@supabase/supabase-js";
import { encode } from "fast-png";
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { hasBrowser, look, openBrowser } from "./support/browser.ts";
import { listen, type Loopback } from "./support/loopback.ts";
import { stack } from "./support/stack.ts";
import { createServiceClient } from "./support/user.ts";

const SIZE = { width: 32, height: 16 };
const COLOUR = [200, 100, 50] as const;
const PICTURE = encode({
  ...SIZE,
  channels: 3,
  data: Uint8Array.from(
    { length: SIZE.width * SIZE.height * 3 },
    (_, index) => COLOUR[index % 3]!,
  ),
});
/** supabase-js as a page loads it without a bundler. */
const SUPABASE_JS = "node_modules/@supabase/supabase-js/dist/umd/supabase.js";

/** What a page has once supabase-js is loaded, and an app has made its client. */
interface AppWindow {
  supabase: {
    createClient: (url: string, key: string) => SupabaseClient;
  };
  client: SupabaseClient;
}
declare const window: AppWindow;

const files = createServiceClient().storage.from("generations");
const kept: string[] = [];

/** Keeps a picture in an account's folder. */
async function keep(account: string): Promise<string> {
  const path = `${account}/${randomUUID()}/0.png`;
  const options = { contentType: "image/png" };
  const { error } = await files.upload(path, PICTURE, options);
  if (error) throw error;
  kept.push(path);
  return path;
}

describe.skipIf(!hasBrowser())(
  "in a real browser (apt-get install chromium)",
  () => {
    let browser: Browser;
    let app: Loopback;
    beforeAll(async () => {
      const script = await readFile(SUPABASE_JS);
      app = await listen(createServer(({ url }, response) => {
        if (url === "/supabase.js") return response.end(script);
        response.setHeader("content-type", "text/html");
        response.end('<script src="/supabase.js"></script>');
      }));
      browser = await openBrowser();
    });
    afterAll(async () => {
      await browser.close();
      await app.close();
      await files.remove(kept);
    });

    /** A page of an app, with supabase-js and a user who has just signed up. */
    async function openApp(): Promise<{ page: Page; account: string }> {
      const page = await browser.newPage();
      await page.goto(app.origin);
      const account = await page.evaluate(
        async ({ url, key, email }) => {
          window.client = window.supabase.createClient(url, key);
          const { data } = await window.client.auth
            .signUp({ email, password: "correct horse battery staple" });
          return data.user!.id;
        },
        {
          url: stack.url,
          key: stack.publishableKey,
          email: `${randomUUID()}@example.com`,
        },
      );
      return { page, account };
    }

    test("a signed address shows the picture", async () => {
      const path = await keep(randomUUID());
      const { data } = await files.createSignedUrl(path, 60);
      const page = await browser.newPage();
      await page.goto(data!.signedUrl);
      expect(await look(page)).toEqual({ ...SIZE, colour: COLOUR });
    });

    test("an app of another origin lists and shows its user's picture", async () => {
      const { page, account } = await openApp();
      const path = await keep(account);
      const names = await page.evaluate(async (path) => {
        const bucket = window.client.storage.from("generations");
        const { data: listed } = await bucket.list(path.replace("/0.png", ""));
        const { data } = await bucket.createSignedUrl(path, 60);
        // deno-lint-ignore no-explicit-any
        const image = new (globalThis as any).Image();
        // As text it would be a picture of elsewhere, which a canvas does not give away.
        Object.assign(image, {
          crossOrigin: "anonymous",
          src: data!.signedUrl,
        });
        image.ownerDocument.body.append(image);
        return listed!.map(({ name }) => name);
      }, path);
      expect(names).toEqual(["0.png"]);
      expect(await look(page)).toEqual({ ...SIZE, colour: COLOUR });
    });

    test("an app uploads a file to a signed address", async () => {
      const { page, account } = await openApp();
      const path = `${account}/uploads/${randomUUID()}.png`;
      kept.push(path);
      const { data: signed } = await files.createSignedUploadUrl(path);
      const error = await page.evaluate(
        async ({ path, token, bytes }) => {
          const type = "image/png";
          const file = new File([new Uint8Array(bytes)], "mine.png", { type });
          const { error } = await window.client.storage.from("generations")
            .uploadToSignedUrl(path, token, file);
          return error?.message;
        },
        { path, token: signed!.token, bytes: [...PICTURE] },
      );
      expect(error).toBeUndefined();
      const { data } = await files.download(path);
      expect(data!.type).toBe("image/png");
      expect(new Uint8Array(await data!.arrayBuffer())).toEqual(PICTURE);
    });
  },
);
