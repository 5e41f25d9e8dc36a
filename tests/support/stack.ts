import { inject } from "vitest";

/** Where the stack of a worker listens, and its keys. */
export interface TestStack {
  /** The one URL of API, Auth and functions. */
  readonly url: string;
  readonly publishableKey: string;
  readonly secretKey: string;
  /** HS256 secret that the stack's user tokens are signed with. */
  readonly jwtSecret: string;
  /** Connects as `postgres`, the role that owns the schema. */
  readonly databaseUrl: string;
  /** Connects as the superuser, who may cancel what others run. */
  readonly superuserUrl: string;
  /** Where events are sent to; nothing listens there until a test does. */
  readonly webhookPort: number;
}

declare module "vitest" {
  export interface ProvidedContext {
    /** Where the global set-up answers with a worker's stack. */
    stacks: string;
  }
}

/** This worker's stack: started now, where no file of the worker has asked before. */
export const stack: TestStack = await findStack();

async function findStack(): Promise<TestStack> {
  const worker = process.env.VITEST_POOL_ID;
  const answer = await fetch(`${inject("stacks")}/${worker}`);
  if (!answer.ok) throw new Error(await answer.text());
  return await answer.json();
}
