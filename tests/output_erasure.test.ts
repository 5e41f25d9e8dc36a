import { afterAll, beforeAll, expect, test } from "vitest";
import { readJobDeltas, sql } from "./support/database.ts";
import { type FaultyProxy, startFaultyProxy } from "./support/faulty_proxy.ts";
import { callFunction, SMALL_IMAGE, userHeaders } from "./support/http.ts";
import {
  type OwnFunctions,
  startOwnFunctions,
} from "./support/own_functions.ts";
import { stack } from "./support/stack.ts";
import { createUser } from "./support/user.ts";

const UPLOAD = "/storage/v1/object/generations/";

let proxy: FaultyProxy;
let functions: OwnFunctions;
beforeAll(async () => {
  proxy = await startFaultyProxy(stack.url);
  functions = await startOwnFunctions(() => ({
    SUPABASE_URL: proxy.url,
    SB_JWT_ISSUER: `${stack.url}/auth/v1`,
  }));
});
afterAll(async () => {
  await functions?.stop();
  await proxy?.stop();
});

test("a picture whose person is erased while it is uploaded is read by nobody, and deleted by the task", async () => {
  const user = await createUser();
  let erased = 0;
  const stop = proxy.judge(async (method, url) => {
    if (method === "POST" && url.startsWith(UPLOAD) && erased++ === 0) {
      await sql`select public.erase_account(${user.id})`;
    }
    return undefined;
  });
  const answer = await fetch(functions.url("generate"), {
    method: "POST",
    headers: userHeaders(user),
    body: JSON.stringify(SMALL_IMAGE),
  });
  stop();
  expect([erased, answer.status], await answer.text()).toEqual([1, 409]);
  const [charged, refunded, ...more] = await readJobDeltas(user.id);
  expect([charged! + refunded!, more]).toEqual([0, []]);

  const kept = () =>
    sql<{ name: string }[]>`
      select name from storage.objects where name like ${`${user.id}/%`}`;
  const [file, ...others] = await kept();
  expect(others).toEqual([]);
  const { error } = await user.client.storage.from("generations")
    .download(file!.name);
  expect(error).not.toBeNull();

  await sql`
    update storage.objects set created_at = now() - interval '2 hours', updated_at = now() - interval '2 hours'
    where name = ${file!.name}`;
  const task = await callFunction("tasks/delete-objects", {
    method: "POST",
    headers: { apikey: stack.secretKey },
  });
  expect(task.status, task.text).toBe(200);
  expect(await kept()).toEqual([]);
});
