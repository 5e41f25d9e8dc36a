import { describe, expect, test } from "vitest";
import { falProvider } from "../functions/_shared/providers/fal.ts";
import { replicateProvider } from "../functions/_shared/providers/replicate.ts";

const PROVIDERS = {
  "fal": [falProvider, "fal.media", "FAL_BASE_URL"],
  "replicate": [replicateProvider, "replicate.delivery", "REPLICATE_BASE_URL"],
} as const;

describe.each(Object.entries(PROVIDERS))(
  "files of %s",
  (_, [make, host, variable]) => {
    const isFetched = (url: string, ownServer?: string) =>
      make((name) => name === variable ? ownServer : undefined)
        .keepsFilesAt(new URL(url));

    test.each([`https://${host}/a.png`, `https://v3.${host}/a.png`])(
      "are fetched from %s",
      (url) => expect(isFetched(url)).toBe(true),
    );

    test.each([
      `http://${host}/a.png`,
      `https://${host}:8443/a.png`,
      `https://evil${host}/a.png`,
      `https://${host}.evil.com/a.png`,
      `https://${host}@evil.com/a.png`,
      `https://evil.com/${host}`,
      `https://user@${host}/a.png`,
      `https://:password@${host}/a.png`,
      `ftp://${host}/a.png`,
      "https://127.0.0.1/a.png",
      "http://169.254.169.254/latest/meta-data",
      "http://[::1]/",
      "data:image/png;base64,AAAA",
      "file:///etc/passwd",
    ])("are not fetched from %s", (url) => expect(isFetched(url)).toBe(false));

    test("are fetched from the server that stands in for it, and from no other port", () => {
      const ownServer = "http://127.0.0.1:9100/v1";
      expect(isFetched("http://127.0.0.1:9100/a.png", ownServer)).toBe(true);
      expect(isFetched("http://127.0.0.1:9101/a.png", ownServer)).toBe(false);
      expect(isFetched("data:,x", ownServer)).toBe(false);
    });

    test("are fetched from nowhere else where its address is none", () => {
      expect(isFetched("https://evil.com/a.png", "no address")).toBe(false);
    });
  },
);
