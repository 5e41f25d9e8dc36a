import { inject } from "vitest";

/** Where the stack that serves every test file listens, and its keys. */
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
    stack: TestStack;
  }
}

/** The stack that the global set-up started. */
export const stack: TestStack = inject("stack");
