import postgres, { type Sql } from "postgres";
import {
  type Attributes,
  attributes,
  createUser,
  findUser,
  listUsers,
  Refusal,
  removeUser,
  updateUser,
} from "./auth_users.ts";

/** What @supabase/lite lacks of Auth: the users of supabase-js' `auth.admin`. */
export interface AdminUsers {
  /** Answers a request for them; undefined: it is for something else. */
  fetch(request: Request): Promise<Response | undefined>;
  close(): Promise<void>;
}

/** The users, and one of them. */
const PATH = /^\/auth\/v1\/admin\/users(?:\/([^/]+))?\/?$/;

/** @param url a connection that may write schema auth */
export function adminUsers(url: string, secretKey: string): AdminUsers {
  const sql = postgres(url, { max: 2, idle_timeout: 5, onnotice: () => {} });
  return {
    fetch: async (request) => {
      const [path, id] = PATH.exec(new URL(request.url).pathname) ?? [];
      if (!path || request.method === "OPTIONS") return undefined;
      try {
        requireSecretKey(request, secretKey);
        return await answer(sql, request, id);
      } catch (error) {
        return toRefusal(error).toResponse();
      }
    },
    close: () => sql.end({ timeout: 2 }),
  };
}

function requireSecretKey({ headers }: Request, secretKey: string): void {
  const bearer = headers.get("authorization")?.replace(/^Bearer /i, "");
  if ((bearer ?? headers.get("apikey")) === secretKey) return;
  throw bearer === undefined && !headers.has("apikey")
    ? new Refusal(401, "no_authorization", "This needs the secret key")
    : new Refusal(403, "not_admin", "User not allowed");
}

async function answer(
  sql: Sql,
  request: Request,
  id: string | undefined,
): Promise<Response> {
  switch (id === undefined ? request.method : `${request.method} one`) {
    case "GET":
      return await list(sql, new URL(request.url));
    case "POST":
      return Response.json(await createUser(sql, await read(request)));
    case "GET one":
      return Response.json(await findUser(sql, id!));
    case "PUT one":
      return Response.json(await updateUser(sql, id!, await read(request)));
    case "DELETE one":
      await removeUser(sql, id!, await isSoft(request));
      return Response.json({});
    default:
      throw new Refusal(405, "bad_method", "Method not allowed");
  }
}

async function list(sql: Sql, url: URL): Promise<Response> {
  const page = Number(url.searchParams.get("page")) || 1;
  const size = Number(url.searchParams.get("per_page")) || 50;
  const { users, total } = await listUsers(sql, page, size);
  const last = Math.max(1, Math.ceil(total / size));
  const link = (to: number, rel: string) =>
    `<${url.origin}${url.pathname}?page=${to}&per_page=${size}>; rel="${rel}"`;
  const links = [
    ...page < last ? [link(page + 1, "next")] : [],
    link(last, "last"),
  ];
  return Response.json({ users, aud: "authenticated" }, {
    headers: { "x-total-count": String(total), link: links.join(", ") },
  });
}

async function read(request: Request): Promise<Attributes> {
  const body = await request.json().catch(() => undefined);
  const { data, error } = attributes.safeParse(body);
  if (data) return data;
  const [issue] = error.issues;
  const field = issue!.path.join(".");
  if (field === "password" && issue!.code === "too_small") {
    throw new Refusal(422, "weak_password", "The password is too short");
  }
  const message = `The local Auth cannot set this: ${field} ${issue!.message}`;
  throw new Refusal(400, "validation_failed", message);
}

async function isSoft(request: Request): Promise<boolean> {
  const body = await request.json().catch(() => ({}));
  return body?.should_soft_delete === true;
}

function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, constraint_name: name, message } = error as {
    code?: string;
    constraint_name?: string;
    message: string;
  };
  if (code !== "23505") return new Refusal(500, "unexpected_failure", message);
  const field = name?.includes("phone")
    ? "phone"
    : name?.includes("email")
    ? "email"
    : "user";
  return new Refusal(422, `${field}_exists`, `This ${field} is there already`);
}
