import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  EMPTY,
  type PackedInstaller,
  packTheInstaller,
} from "../support/installer.ts";

let installer: PackedInstaller;
beforeAll(async () => {
  installer = await packTheInstaller();
});
afterAll(() => installer.remove());

describe("a project that was installed half way", () => {
  test.each([
    "supabase/functions/_atomic_credits/_shared/auth.ts",
    "supabase/functions/_atomic_credits/uploads/handler.ts",
    "supabase/config.toml",
    ".env.example",
  ])("goes on after it was stopped at %s", async (place) => {
    const app = await installer.makeApp(EMPTY);
    // A folder where the file is written first.
    const obstacle = `${place}.atomic-credits-half`;
    await app.write(`${obstacle}/x`, "");
    const stopped = await app.run("init", "--yes");
    expect(stopped.code, stopped.text).toBe(1);
    const half = JSON.parse(await app.read("supabase/atomic-credits.json"));
    expect(await app.run("doctor")).toMatchObject({
      code: 1,
      text: expect.stringMatching(
        /stopped half way[^]*npx atomic-credits init/,
      ),
    });

    await app.delete(obstacle);
    const run = await app.run("init", "--yes");
    expect(run.code, run.text).toBe(0);
    const { files, migrations } = JSON.parse(
      await app.read("supabase/atomic-credits.json"),
    );
    expect([files, migrations]).toEqual([half.files, half.migrations]);
    expect(await app.run("doctor")).toMatchObject({ code: 0 });
    const left = Object.keys(await app.files());
    expect(left.filter((path) => path.endsWith("-half"))).toEqual([]);
    expect(left.filter((path) => path.endsWith(".new"))).toEqual([]);
  });

  test("goes on after it was killed", async () => {
    for (const milliseconds of [0, 5, 20]) {
      const app = await installer.makeApp(EMPTY);
      const killed = app.start("init", "--yes");
      while (!existsSync(join(app.folder, "supabase/atomic-credits.json"))) {
        await delay(1);
      }
      await delay(milliseconds);
      killed.process.kill("SIGKILL");
      await killed.ended;
      expect(await app.run("init", "--yes")).toMatchObject({ code: 0 });
      expect(await app.run("doctor")).toMatchObject({ code: 0 });
      const left = Object.keys(await app.files());
      expect(left.filter((path) => path.endsWith("-half"))).toEqual([]);
      expect(left.filter((path) => path.includes("/migrations/")))
        .toHaveLength(2);
    }
  });

  test("knows its files again where the manifest was lost", async () => {
    const app = await installer.makeApp(EMPTY);
    await app.run("init", "--yes");
    const before = await app.files();
    await app.delete("supabase/atomic-credits.json");
    await app.delete("supabase/functions/jobs");
    const run = await app.run("init", "--yes");
    expect(run.code, run.text).toBe(0);
    expect(await app.files()).toEqual(before);
  });
});
