import { z } from "zod";
import type { User } from "./auth.ts";
import { run, serviceClient, userClient } from "./database.ts";
import { BUCKET } from "./outputs.ts";
import { invalidRequest, type Problem, serviceUnavailable } from "./problem.ts";
import { publicAddress } from "./project.ts";
import { StoreError } from "./store_error.ts";

/** How long the provider can fetch a first frame, in seconds: its jobs may wait in a queue. */
const FRAME_SECONDS = 900;

const REFUSALS = {
  not_found: "must be the path of an upload or of an output that is there",
  wrong_type: "must be a PNG, JPEG or WebP picture, as it was said to be",
  wrong_size: "must have the size that its upload was made for",
};

const checked = z.enum(["ok", "not_found", "wrong_type", "wrong_size"]);

/**
 * Finds the first frame of a video, before anything is charged.
 *
 * @param user who asks; null for a server with the secret key
 * @param accountId who pays
 * @returns where its provider can fetch it for a while
 * @throws {Problem} 400 `invalid_request` where it is not there, not theirs, or no picture; 503
 * where Storage does not answer
 */
export type FindFirstFrame = (
  path: string,
  user: User | null,
  accountId: string,
) => Promise<string>;

/** Finds it in this project's Storage: what a user may read there, or what is the paying account's own. */
export const findFirstFrame: FindFirstFrame = async (path, user, accountId) => {
  const [owner = ""] = path.split("/");
  // The secret key may read everything, so the path must say whose it is.
  if (!user && owner !== accountId) throw refused("not_found");
  const url = await sign(path, user);
  const found = await run(
    serviceClient().rpc("check_input_object", {
      p_account_id: owner,
      p_path: path,
    }),
    checked,
  );
  if (found !== "ok") throw refused(found);
  return publicAddress(url);
};

/** Signed as who asks: what they may not read is not there. */
async function sign(path: string, user: User | null): Promise<string> {
  const client = user ? userClient(user.token) : serviceClient();
  const { data, error } = await client.storage.from(BUCKET)
    .createSignedUrl(path, FRAME_SECONDS);
  if (!error) return data.signedUrl;
  throw new StoreError(error).isPassing
    ? serviceUnavailable(
      "The first frame cannot be read now. Repeat the request with the same Idempotency-Key.",
    )
    : refused("not_found");
}

function refused(why: keyof typeof REFUSALS): Problem {
  const message = REFUSALS[why];
  return invalidRequest(`The first frame ${message}.`, [
    { field: "image", message },
  ]);
}
