import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FileContent } from "../functions/_shared/json_with_files.ts";
import {
  type ResponseFormat,
  showOutputs,
} from "../functions/_shared/shown_outputs.ts";

const MEBIBYTE = 1_048_576;
const EXPIRES_AT = "2026-01-01T00:00:00.000Z";
const [account, job] = [randomUUID(), randomUUID()];

/** A store that has every file but those that are missing, and what was asked of it. */
function store(missing: string[] = []) {
  const asked: string[] = [];
  const has = (path: string) => {
    asked.push(path);
    return !missing.includes(path);
  };
  return {
    asked,
    sign: (paths: readonly string[]) =>
      Promise.resolve({
        urls: new Map(
          paths.filter(has).map((path) => [path, `signed:${path}`]),
        ),
        expiresAt: EXPIRES_AT,
      }),
    read: (path: string) =>
      Promise.resolve(has(path) ? new ReadableStream() : null),
  };
}

function output(name: string, bytes = 70, media_type = "image/png") {
  return { path: `${account}/${job}/${name}`, media_type, bytes };
}

/** How each output is answered: by url, by data, or not at all. */
async function shown(
  outputs: unknown[],
  format: ResponseFormat,
  files = store(),
) {
  const answered = await showOutputs(job, outputs, format, files);
  return answered.map((each) => {
    const { url, data } = each as { url?: string; data?: unknown };
    if (data instanceof FileContent) return "data";
    return url ? "url" : "neither";
  });
}

describe("outputs in an answer", () => {
  test("have a URL that is signed now, and until when it holds", async () => {
    const kept = output("0.png");
    expect(await showOutputs(job, [kept], "url", store())).toEqual([
      { ...kept, url: `signed:${kept.path}`, url_expires_at: EXPIRES_AT },
    ]);
  });

  test("are data up to 4 MiB a picture and 12 MiB in all, and URLs beyond", async () => {
    const four = (name: string) => output(name, 4 * MEBIBYTE);
    const large = output("9.png", 4 * MEBIBYTE + 1);
    expect(await shown([large, ...["0", "1", "2", "3"].map(four)], "base64"))
      .toEqual(["url", "data", "data", "data", "url"]);
  });

  test("are URLs where they are no pictures", async () => {
    const kept = [
      output("0.mp4", 70, "video/mp4"),
      output("0.wav", 70, "audio/wav"),
    ];
    expect(await shown(kept, "base64")).toEqual(["url", "url"]);
  });

  test.each(["url", "base64"] as const)(
    "that are gone are named without %s",
    async (format) => {
      const [gone, there] = [output("0.png"), output("1.png")];
      const files = store([gone.path]);
      const [first, second] = await shown([gone, there], format, files);
      expect(first).toBe("neither");
      expect(second).not.toBe("neither");
    },
  );

  // SQL may settle a job with anything: nobody gets at another's files by that.
  test.each([
    ["another job's", {
      ...output("0.png"),
      path: `${account}/${randomUUID()}/0.png`,
    }],
    ["an upload", { ...output("0.png"), path: `${account}/uploads/0.png` }],
    ["a path that leads elsewhere", {
      ...output("0.png"),
      path: `../${account}/0.png`,
    }],
    ["no path at all", { url: "https://example.com/a.png" }],
    ["an output of long ago", { media_type: "image/png", data: "aGVsbG8=" }],
    ["text", "https://example.com/a.png"],
    ["nothing", null],
  ])(
    "are answered as they are, and never read or signed: %s",
    async (_, kept) => {
      for (const format of ["url", "base64"] as const) {
        const files = store();
        expect(await showOutputs(job, [kept], format, files)).toEqual([kept]);
        expect(files.asked).toEqual([]);
      }
    },
  );
});
