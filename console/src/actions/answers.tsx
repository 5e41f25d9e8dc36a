import Alert from "@mui/material/Alert";
import AlertTitle from "@mui/material/AlertTitle";
import Button from "@mui/material/Button";
import Typography from "@mui/material/Typography";
import { Link, useLocation } from "react-router-dom";
import { grouped } from "../parts/format.ts";
import type { Operator } from "../parts/operator.tsx";
import type { Action, Result } from "./spec.ts";

/** What an action came to. */
export function Done({ result }: { result: Result }) {
  const { code, action_seq, balance, replayed } = result;
  if (code === "waiting_for_approval") {
    return (
      <Alert severity="info">
        <AlertTitle>Waiting for approval</AlertTitle>
        It is above your limit. It is done when a second operator approves it:
        see Approvals.
      </Alert>
    );
  }
  if (code === "unchanged") {
    return (
      <Alert severity="info">
        <AlertTitle>Nothing to do</AlertTitle>
        It was so already.
      </Alert>
    );
  }
  return (
    <Alert severity="success">
      <AlertTitle>Done</AlertTitle>
      {balance !== null && <>The balance is now {grouped(balance)}.</>}
      {action_seq !== null && (
        <>It is your action number {grouped(action_seq)}.</>
      )}
      {replayed &&
        "It had been done by an earlier try, and was not done again."}
    </Alert>
  );
}

/** Reading needs a password, doing something a second factor. */
export function SecondFactorFirst() {
  const { pathname, search } = useLocation();
  const back = encodeURIComponent(pathname + search);
  return (
    <Alert severity="warning">
      <AlertTitle>This needs your second factor</AlertTitle>
      You can read with your password. To change anything, confirm that it is
      you with a code from your authenticator app.
      <Button
        component={Link}
        to={`/second-factor?back=${back}`}
        variant="contained"
        size="small"
        sx={{ display: "flex", width: "fit-content", mt: 1 }}
      >
        Use the second factor
      </Button>
    </Alert>
  );
}

/** How much the operator may move, for an action that moves credits. */
export function Limits(
  { operator, action }: { operator: Operator; action: Action },
) {
  if (!action.fields.some(({ kind }) => kind === "credits")) return null;
  const { max_per_action: most, max_per_day: day, used_today: used } = operator;
  return (
    <Typography variant="body2" color="text.secondary">
      {most === null
        ? "No limit an action"
        : `Up to ${grouped(most)} an action`}
      {day === null
        ? "."
        : `; ${grouped(Math.max(day - used, 0))} of ${
          grouped(day)
        } left today.`}
      {most !== null && " Above that a second operator has to approve."}
    </Typography>
  );
}
