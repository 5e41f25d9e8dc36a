import { expect } from "vitest";
import type { AppFolder } from "./installer.ts";

/** That it refuses, says this, and changes nothing. */
export async function expectRefusal(
  app: AppFolder,
  args: string[],
  said: RegExp,
): Promise<void> {
  const before = await app.files();
  const { code, text } = await app.run(...args);
  expect(code).toBe(1);
  expect(text).toMatch(said);
  expect(text).toContain("Nothing was changed.");
  expect(text).not.toMatch(/^\s+at /m);
  expect(await app.files()).toEqual(before);
}
