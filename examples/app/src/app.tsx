import { SignIn } from "./sign_in.tsx";
import { Studio } from "./studio.tsx";
import { useUser } from "./use_user.ts";

/** Signed in or not: two pages in one. */
export function App() {
  const user = useUser();
  if (user === undefined) {
    return <p className="wait" role="status">Loading …</p>;
  }
  return user ? <Studio key={user.id} email={user.email} /> : <SignIn />;
}
