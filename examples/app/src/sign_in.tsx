import { type FormEvent, useState } from "react";
import { supabase } from "./client.ts";
import { demo } from "./demo.ts";

type Password = { email: string; password: string };

/** Mail and password through supabase-js; where npm start runs, the demo user in one click. */
export function SignIn() {
  const [message, setMessage] = useState("");
  const [isBusy, setIsBusy] = useState(false);

  async function enter(user: Password, isNew: boolean) {
    setIsBusy(true);
    setMessage("");
    const { data, error } = isNew
      ? await supabase.auth.signUp(user)
      : await supabase.auth.signInWithPassword(user);
    setIsBusy(false);
    if (error) setMessage(error.message);
    else if (!data.session) {
      setMessage("We have sent you a mail: open its link.");
    }
  }

  function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const { submitter } = event.nativeEvent as SubmitEvent;
    const form = Object.fromEntries(new FormData(event.currentTarget));
    const isNew = submitter?.getAttribute("value") === "sign-up";
    void enter(form as Password, isNew);
  }

  return (
    <main className="door">
      <h1>Pictures, words and sound for credits</h1>
      <p className="quiet">What fails is refunded at once.</p>
      {demo && (
        <>
          <button
            className="primary"
            disabled={isBusy}
            onClick={() => enter(demo!, false)}
          >
            Continue as the demo user
          </button>
          <p className="or">or</p>
        </>
      )}
      <form onSubmit={submit}>
        <label>
          Email
          <input name="email" type="email" autoComplete="email" required />
        </label>
        <label>
          Password
          <input
            name="password"
            type="password"
            autoComplete="current-password"
            minLength={6}
            required
          />
        </label>
        <div className="row">
          <button disabled={isBusy} value="sign-in">Sign in</button>
          <button disabled={isBusy} value="sign-up">Sign up</button>
        </div>
      </form>
      <p role="alert">{message}</p>
    </main>
  );
}
