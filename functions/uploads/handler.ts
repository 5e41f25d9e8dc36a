import { z } from "zod";
import type { AuthenticateCaller } from "../_shared/auth.ts";
import { readBody, wholeNumber } from "../_shared/body.ts";
import { explainRefusedValue } from "../_shared/database.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import {
  invalidRequest,
  problemOf,
  serviceUnavailable,
} from "../_shared/problem.ts";
import { type Handler, json } from "../_shared/route.ts";
import type { StorageDatabase } from "../_shared/storage_database.ts";
import { StoreError } from "../_shared/store_error.ts";

const MEDIA_TYPES = ["image/png", "image/jpeg", "image/webp"] as const;
const MAX_BYTES = 16 * 1024 * 1024;

/** What `uploads` works with. */
export interface UploadsDependencies {
  authenticate: AuthenticateCaller;
  database: Pick<StorageDatabase, "createUpload">;
  store: Pick<OutputStore, "signUpload">;
}

const uploadRequest = z.strictObject({
  account_id: z.guid("must be the id of an account").toLowerCase()
    .optional(),
  media_type: z.enum(
    MEDIA_TYPES,
    `must be one of ${MEDIA_TYPES.join(", ")}`,
  ),
  bytes: wholeNumber(1, MAX_BYTES),
});

/** `POST uploads`: a path in the account's own folder, and where to send the file for it. */
export function uploadsHandler(
  { authenticate, database, store }: UploadsDependencies,
): Handler {
  return async ({ request }) => {
    const user = await authenticate(request);
    const { account_id, media_type, bytes } = await readBody(
      request,
      uploadRequest,
    );
    const result = await database.createUpload({
      accountId: account_id ?? user?.id ?? accountMissing(),
      memberId: user?.id,
      mediaType: media_type,
      bytes,
    }).catch(explainRefusedValue);
    if (result.status !== 201) throw problemOf(result);
    const path = result.path!;
    const { url, token } = await store.signUpload(path)
      .catch(explainUnsigned);
    const { expires_at } = result;
    return json(
      { path, media_type, bytes, upload_url: url, token, expires_at },
      {},
      201,
    );
  };
}

function accountMissing(): never {
  const message = "must be given with the secret key";
  throw invalidRequest(`The account of an upload ${message}.`, [
    { field: "account_id", message },
  ]);
}

function explainUnsigned(error: unknown): never {
  if (!(error instanceof StoreError)) throw error;
  throw serviceUnavailable("Storage cannot be reached. Repeat in a moment.");
}
