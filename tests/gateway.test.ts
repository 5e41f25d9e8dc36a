import { createServer, type IncomingMessage, request } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { startGateway } from "../scripts/stack/gateway.ts";
import { freePort } from "../scripts/stack/port.ts";
import { listen } from "./support/loopback.ts";
import { stack } from "./support/stack.ts";

/** Sends a path as it stands here: fetch would follow its dots first. */
function ask(path: string, method = "GET", headers = {}) {
  return new Promise<{ status?: number; headers: object; body: string }>(
    (resolve, reject) => {
      const { hostname, port } = new URL(stack.url);
      // A connection of its own: one that is kept may be closed by its age just now.
      const options = { hostname, port, path, method, headers, agent: false };
      request(options, async (answer) => {
        const { statusCode: status, headers } = answer;
        resolve({ status, headers, body: await text(answer) });
      }).on("error", reject).end();
    },
  );
}

describe("the gateway of the local stack", () => {
  test.each([
    "/index",
    "/assets",
    "/assets/../src/main.tsx",
    "/src/main.tsx",
    "/package.json",
    "/_system",
    "/_system/config",
    "//_system/config",
    "/rest/v1/../../_system/config",
    "/auth/v1/%2e%2e/%2E%2e/_system/config",
    "/restricted/v1",
    "/rest/v1x/_system",
    "/storage/v1/../../_system",
    "/static/favicon.ico",
  ])("has nothing at %s", async (path) => {
    for (const method of ["GET", "POST", "OPTIONS"]) {
      const { status, headers, body } = await ask(path, method);
      expect(status).toBe(404);
      expect(headers).toMatchObject({
        "content-type": "application/problem+json",
        "access-control-allow-origin": "*",
        "x-request-id": expect.stringMatching(/^[\da-f-]{36}$/),
      });
      expect(JSON.parse(body)).toMatchObject({ code: "not_found" });
    }
  });

  test("shows the example app at /, which may load nothing of elsewhere", async () => {
    const { status, headers, body } = await ask("/");
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": expect.stringMatching(
        /^default-src 'none'; script-src 'self'; style-src 'self'; /,
      ),
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
    expect(body).not.toMatch(/<script(?![^>]* src="\/)|<style| style=/);
    const files = [...body.matchAll(/(?:src|href)="(\/[^"]+)"/g)];
    expect(files).toHaveLength(3);
    for (const [, path] of files) {
      expect(await ask(path!), path).toMatchObject({ status: 200 });
    }
    expect(await ask("/", "HEAD")).toMatchObject({ status: 200, body: "" });
    expect((await ask("/", "POST")).status).toBe(404);
  });

  test("has nothing at an address that the Host header makes", async () => {
    const answer = await ask("/rest/v1/x", "GET", { host: "üx/admin?" });
    expect(answer.body).not.toContain("postgresql://");
    expect(answer.status).toBe(404);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "not_found" });
  });

  test("passes Data API, Auth, Storage and functions on", async () => {
    const reached = [
      ["/rest/v1/generation_models", 401],
      ["/auth/v1/user", 401],
      ["/storage/v1/status", 200],
      ["/functions/v1/jobs", 401],
    ] as const;
    for (const [path, status] of reached) {
      expect((await ask(path)).status, path).toBe(status);
    }
  });

  test.each([
    ["/rest/v1/generation_models", "GET"],
    ["/rest/v1/rpc/quote_generation", "POST"],
    ["/auth/v1/user", "GET"],
    ["/auth/v1/signup", "POST"],
    ["/storage/v1/object/generations/x", "GET"],
    ["/storage/v1/object/sign/generations/x?token=x", "GET"],
    ["/functions/v1/generate", "POST"],
  ])(
    "lets a page of another origin ask %s, by %s, as supabase-js does",
    async (path, method) => {
      const sent = "apikey,authorization,content-type,x-client-info";
      const origin = "http://app.example";
      const preflight = await ask(path, "OPTIONS", {
        origin,
        "access-control-request-method": method,
        "access-control-request-headers": sent,
      });
      const allowed = new Headers(preflight.headers as Record<string, string>)
        .get("access-control-allow-headers")?.toLowerCase().split(/, ?/);
      expect(allowed).toEqual(expect.arrayContaining(sent.split(",")));
      // Else a browser does not ask what it wanted to ask.
      expect(preflight.status).toBeLessThan(300);
      const answer = await ask(path, method, { origin });
      for (const { headers } of [preflight, answer]) {
        expect(headers).toMatchObject({ "access-control-allow-origin": "*" });
      }
    },
  );

  test("ends an answer that the functions break off", async () => {
    const dying = createServer((_, response) => {
      response.writeHead(200, { "content-length": 1000 });
      response.write("half of it", () => response.destroy());
    });
    const functions = await listen(dying);
    const port = await freePort();
    const gateway = await startGateway(port, {
      functionsUrl: () => functions.origin,
      api: () => Promise.reject(new Error("nobody asks for it")),
      sandbox: () => Promise.reject(new Error("nobody asks for it")),
    });
    const answer = await fetch(`http://127.0.0.1:${port}/functions/v1/jobs`);
    await expect(answer.text()).rejects.toThrow();
    gateway.close();
    await functions.close();
  });

  test("takes an upload in no faster than it is read", async () => {
    const chunk = Buffer.alloc(1_000_000);
    const chunks = 60;
    let readOn = () => {};
    const stalled = new Promise<void>((resolve) => readOn = resolve);
    const port = await freePort();
    const gateway = await startGateway(port, {
      functionsUrl: () => "http://127.0.0.1:9",
      api: async ({ body }) => {
        let bytes = 0;
        for await (const part of body!) {
          bytes += part.length;
          await stalled;
        }
        return Response.json(bytes);
      },
      sandbox: () => Promise.reject(new Error("nobody asks for it")),
    });
    const path = "/storage/v1/object/bucket/name";
    const upload = request({ port, path, method: "POST" });
    const answer = new Promise<IncomingMessage>((resolve) =>
      upload.once("response", resolve)
    );
    let sent = 0;
    const send = () =>
      new Promise<boolean>((resolve) => {
        upload.write(chunk, () => resolve(true));
        setTimeout(resolve, 500, false);
      });
    do sent++; while (await send() && sent < chunks);
    expect(sent).toBeLessThan(chunks / 2);
    readOn();
    for (; sent < chunks; sent++) upload.write(chunk);
    upload.end();
    expect(await text(await answer)).toBe(String(chunks * chunk.length));
    gateway.close();
  });
});
