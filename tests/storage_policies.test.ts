import type { SupabaseClient } from "@supabase/supabase-js";
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { sql } from "./support/database.ts";
import { stack } from "./support/stack.ts";
import {
  createAnonymousClient,
  createServiceClient,
  createUser,
  type TestUser,
} from "./support/user.ts";

const BUCKET = "generations";
const PNG = Buffer.from("89504e470d0a1a0a", "hex");
const OTHERS = Buffer.from("89504e470d0a1a0aff", "hex");
const TYPE = { contentType: "image/png" };

const service = createServiceClient();
const anonymous = createAnonymousClient();
const otherBucket = `other-${randomUUID()}`;
const job = randomUUID();

let owner: TestUser;
let member: TestUser;
let viewer: TestUser;
let former: TestUser;
let stranger: TestUser;
let team: string;

/** Where the files of the test are, by whose they are. */
const paths = {
  "the owner's own": () => `${owner.id}/${job}/0.png`,
  "the owner's upload": () => `${owner.id}/uploads/${job}.png`,
  "the team's": () => `${team}/${job}/0.png`,
  "the former member's own": () => `${former.id}/${job}/0.png`,
  "the stranger's": () => `${stranger.id}/${job}/0.png`,
  // Nobody's: the account is not the whole first folder.
  "one below another folder": () => `x/${owner.id}/0.png`,
  "one of no folder": () => `${owner.id}.png`,
  "one of a folder that begins so": () => `${owner.id}0/${job}/0.png`,
  "one of a folder in capitals": () => `A${owner.id.toUpperCase()}/0.png`,
  "one of a folder that is no uuid": () => `public/${job}/0.png`,
};
type Whose = keyof typeof paths;
const every = Object.keys(paths) as Whose[];

/** Who asks, and what they may read. */
const readers: Record<string, [() => SupabaseClient, readonly Whose[]]> = {
  "the owner": [
    () => owner.client,
    ["the owner's own", "the owner's upload", "the team's"],
  ],
  "a member": [() => member.client, ["the team's"]],
  "a viewer": [() => viewer.client, ["the team's"]],
  "a former member": [() => former.client, ["the former member's own"]],
  "a stranger": [() => stranger.client, ["the stranger's"]],
  "anon": [() => anonymous, []],
};
const cases = Object.entries(readers).flatMap(([who, [client, may]]) =>
  every.map((whose) => ({ who, whose, client, may: may.includes(whose) }))
);

function bucketOf(client: SupabaseClient) {
  return client.storage.from(BUCKET);
}

beforeAll(async () => {
  [owner, member, viewer, former, stranger] = await Promise.all(
    Array.from({ length: 5 }, () => createUser({ credits: 0 })),
  ) as [TestUser, TestUser, TestUser, TestUser, TestUser];
  team = randomUUID();
  await sql`select public.create_team_account(${owner.id}, ${team})`;
  await sql`select public.set_account_member(${team}, ${member.id}, 'member')`;
  await sql`select public.set_account_member(${team}, ${viewer.id}, 'viewer')`;
  await sql`select public.set_account_member(${team}, ${former.id}, 'admin')`;
  await sql`select public.remove_account_member(${team}, ${former.id})`;
  await service.storage.createBucket(otherBucket);
  for (const whose of every) {
    const { error } = await bucketOf(service)
      .upload(paths[whose](), PNG, TYPE);
    expect(error, whose).toBeNull();
  }
  await service.storage.from(otherBucket)
    .upload(paths["the owner's own"](), PNG, TYPE);
});

/** Files without a job would be found by reconciliation in the end. */
afterAll(async () => {
  await bucketOf(service).remove(every.map((whose) => paths[whose]()));
});

async function keptBytes(path: string): Promise<Buffer> {
  const { data, error } = await bucketOf(service).download(path);
  if (error) throw error;
  return Buffer.from(await data.arrayBuffer());
}

describe("reading what is kept", () => {
  test.each(cases.filter(({ may }) => may))(
    "$who reads $whose, in each way",
    async ({ client, whose }) => {
      const path = paths[whose]();
      const bucket = bucketOf(client());
      const { data } = await bucket.download(path);
      expect(Buffer.from(await data!.arrayBuffer())).toEqual(PNG);
      const { data: signed } = await bucket.createSignedUrl(path, 60);
      const answer = await fetch(signed!.signedUrl);
      expect(Buffer.from(await answer.arrayBuffer())).toEqual(PNG);
      const folder = path.slice(0, path.lastIndexOf("/"));
      const { data: listed } = await bucket.list(folder);
      expect(listed!.map(({ name }) => `${folder}/${name}`)).toEqual([path]);
      expect((await bucket.exists(path)).data).toBe(true);
    },
  );

  test.each(cases.filter(({ may }) => !may))(
    "$who does not read $whose, in no way",
    async ({ client, whose }) => {
      const path = paths[whose]();
      const bucket = bucketOf(client());
      const cut = path.lastIndexOf("/");
      const open = bucket.getPublicUrl(path).data.publicUrl;
      const [many, listed, exists, answer, ...refused] = await Promise.all([
        bucket.createSignedUrls([path], 60),
        bucket.list(path.slice(0, Math.max(cut, 0)), { limit: 1000 }),
        bucket.exists(path).catch(() => ({ data: false })),
        fetch(open),
        bucket.download(path),
        bucket.createSignedUrl(path, 60),
        bucket.info(path),
        bucket.copy(path, `${owner.id}/copy.png`),
        bucket.move(path, `${owner.id}/moved.png`),
      ]);
      expect(many.data?.[0]?.signedUrl ?? null).toBeNull();
      expect(listed.data?.map(({ name }) => name))
        .not.toContain(path.slice(cut + 1));
      expect(exists.data).toBe(false);
      expect(answer.ok).toBe(false);
      for (const { data } of refused) expect(data).toBeNull();
    },
  );

  test.each(Object.entries(readers))(
    "%s lists the folders of their own accounts, and no other",
    async (_, [client, may]) => {
      const { data } = await bucketOf(client()).list("", { limit: 1000 });
      const folders = new Set(may.map((whose) => paths[whose]().split("/")[0]));
      expect(new Set(data!.map(({ name }) => name))).toEqual(folders);
    },
  );

  test("an address that is signed opens one file alone", async () => {
    const path = paths["the team's"]();
    const { data } = await bucketOf(viewer.client).createSignedUrl(path, 60);
    const other = data!.signedUrl.replace(path, paths["the owner's own"]());
    expect((await fetch(other)).ok).toBe(false);
    const token = new URL(data!.signedUrl).searchParams.get("token")!;
    const upload = await fetch(
      `${stack.url}/storage/v1/object/upload/sign/${BUCKET}/${path}?token=${token}`,
      { method: "PUT", headers: { "content-type": "image/png" }, body: OTHERS },
    );
    expect(upload.ok).toBe(false);
    expect(await keptBytes(path)).toEqual(PNG);
  });

  test("an address that a member signed works on after they left, until its file is deleted", async () => {
    const path = `${team}/${randomUUID()}/0.png`;
    await bucketOf(service).upload(path, PNG, TYPE);
    const leaving = await createUser({ credits: 0 });
    await sql`select public.set_account_member(${team}, ${leaving.id}, 'viewer')`;
    const signed = await bucketOf(leaving.client)
      .createSignedUrl(path, 86_400 * 365);
    await sql`select public.remove_account_member(${team}, ${leaving.id})`;
    const read = async () => (await fetch(signed.data!.signedUrl)).ok;
    expect(await read()).toBe(true);
    await bucketOf(service).remove([path]);
    expect(await read()).toBe(false);
  });

  test("the same path in another bucket is not theirs", async () => {
    const bucket = owner.client.storage.from(otherBucket);
    const path = paths["the owner's own"]();
    expect((await bucket.download(path)).data).toBeNull();
    expect((await bucket.createSignedUrl(path, 60)).data).toBeNull();
    expect((await bucket.list(owner.id)).data).toEqual([]);
  });
});

describe("writing is for the service alone", () => {
  test.each(Object.entries(readers))(
    "%s writes, changes and removes nothing, not even their own",
    async (_, [client, may]) => {
      const bucket = bucketOf(client());
      const mine = may.map((whose) => paths[whose]().split("/")[0]);
      for (const folder of new Set([...mine, team])) {
        const path = `${folder}/${job}/1.png`;
        const refused = await Promise.all([
          bucket.upload(path, PNG, TYPE),
          bucket.upload(path, new Blob([PNG], { type: "image/png" })),
          bucket.upload(path, PNG, { ...TYPE, upsert: true }),
          bucket.createSignedUploadUrl(path),
          bucket.createSignedUploadUrl(path, { upsert: true }),
        ]);
        for (const { data } of refused) expect(data).toBeNull();
        await expect(keptBytes(path)).rejects.toThrow();
      }
      for (const whose of every) {
        const path = paths[whose]();
        const refused = await Promise.all([
          bucket.upload(path, OTHERS, { ...TYPE, upsert: true }),
          bucket.update(path, OTHERS, TYPE),
          bucket.move(path, `${path}.moved`),
          bucket.copy(path, `${path}.copied`),
          bucket.createSignedUploadUrl(path, { upsert: true }),
        ]);
        for (const { data } of refused) expect(data, whose).toBeNull();
        expect((await bucket.remove([path])).data ?? [], whose).toEqual([]);
        expect(await keptBytes(path), whose).toEqual(PNG);
      }
    },
  );

  test.each(Object.entries(readers))(
    "%s sees no bucket, and changes none",
    async (_, [client]) => {
      const { storage } = client();
      expect((await storage.listBuckets()).data ?? []).toEqual([]);
      const refused = [
        await storage.createBucket(`mine-${randomUUID()}`),
        await storage.updateBucket(BUCKET, { public: true }),
        await storage.emptyBucket(BUCKET),
        await storage.deleteBucket(BUCKET),
      ];
      for (const { data } of refused) expect(data).toBeNull();
      expect((await service.storage.getBucket(BUCKET)).data)
        .toMatchObject({ public: false });
      expect(await keptBytes(paths["the team's"]())).toEqual(PNG);
    },
  );
});
