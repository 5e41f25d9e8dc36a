import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { projectValues } from "../scripts/environment.ts";

const HERE = "http://127.0.0.1:54321";
const ELSEWHERE = "https://elsewhere.example.com";

/** What the operators' commands send as a key to the project that was asked for. */
const keyFor = (url?: string) =>
  projectValues(process.env, url)("SUPABASE_SECRET_KEY");

describe("the local stack's key", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "atomic-credits-environment-"));
    writeFileSync(
      join(folder, ".env.local"),
      `SUPABASE_URL=${HERE}\nSUPABASE_SECRET_KEY=local\n`,
    );
    vi.spyOn(process, "cwd").mockReturnValue(folder);
    vi.stubEnv("SUPABASE_URL", "");
    vi.stubEnv("SUPABASE_SECRET_KEY", "");
  });
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  test("goes to the local stack", () => {
    expect(keyFor()).toBe("local");
    expect(keyFor(`${HERE}/`)).toBe("local");
  });

  test("is read as other tools read such files", () => {
    writeFileSync(
      join(folder, ".env.local"),
      `# by hand\r\nexport SUPABASE_URL="${HERE}"\r\nSUPABASE_SECRET_KEY='local' # the key\r\n`,
    );
    expect(keyFor()).toBe("local");
    expect(keyFor(HERE)).toBe("local");
    expect(keyFor(ELSEWHERE)).toBe(undefined);
  });

  test.each([[ELSEWHERE, undefined], [undefined, ELSEWHERE]])(
    "does not go elsewhere (flag %s, environment %s)",
    (flag, environment) => {
      vi.stubEnv("SUPABASE_URL", environment ?? HERE);
      expect(keyFor(flag)).toBe(undefined);
      vi.stubEnv("SUPABASE_SECRET_KEY", "its own");
      expect(keyFor(flag)).toBe("its own");
    },
  );
});
