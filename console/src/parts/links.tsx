import { Link } from "react-router-dom";

/** An account by its id, or who has none. */
export function AccountLink({ id }: { id: unknown }) {
  return <Named to="accounts" id={id} />;
}

export function JobLink({ id }: { id: unknown }) {
  return <Named to="jobs" id={id} />;
}

export function RequestLink({ id }: { id: unknown }) {
  return <Named to="requests" id={id} />;
}

function Named({ to, id }: { to: string; id: unknown }) {
  if (!id) return null;
  return (
    <Link className="id" to={`/${to}/${encodeURIComponent(String(id))}`}>
      {String(id)}
    </Link>
  );
}

/** Where something that was found is looked at. */
export function pathTo(kind: string, id: string, account: string | null) {
  const place = encodeURIComponent(id);
  if (kind === "job") return `/jobs/${place}`;
  if (kind === "request") return `/requests/${place}`;
  if (kind === "payment") return `/accounts/${account}/payments`;
  return `/accounts/${encodeURIComponent(account ?? id)}`;
}
