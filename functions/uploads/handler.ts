import type { AuthenticateCaller } from "../_shared/auth.ts";
import { readBody } from "../_shared/body.ts";
import { explainRefusedValue } from "../_shared/database.ts";
import type { OutputStore } from "../_shared/outputs.ts";
import {
  invalidRequest,
  problemOf,
  serviceUnavailable,
} from "../_shared/problem.ts";
import { type Handler, json, type Route } from "../_shared/route.ts";
import type { StorageDatabase } from "../_shared/storage_database.ts";
import { StoreError } from "../_shared/store_error.ts";
import { type Upload, uploadContract, uploadRequest } from "./contract.ts";

/** What `uploads` works with. */
export interface UploadsDependencies {
  authenticate: AuthenticateCaller;
  database: Pick<StorageDatabase, "createUpload">;
  store: Pick<OutputStore, "signUpload">;
}

/** `POST uploads`: a path in the account's own folder, and where to send the file for it. */
export function uploadRoutes(dependencies: UploadsDependencies): Route[] {
  const handler = uploadsHandler(dependencies);
  return [{ method: "POST", path: "", contract: uploadContract, handler }];
}

function uploadsHandler(
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
    return json<Upload>(
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
