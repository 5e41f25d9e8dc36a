import Button from "@mui/material/Button";
import Stack from "@mui/material/Stack";
import TextField from "@mui/material/TextField";
import { type FormEvent, useEffect, useState } from "react";
import { Link, useSearchParams } from "react-router-dom";
import { Time } from "../parts/time.tsx";
import { pathTo } from "../parts/links.tsx";
import { useCall } from "../parts/operator.tsx";
import { Page } from "../parts/page.tsx";
import { Empty, Failure, Loading } from "../parts/states.tsx";

interface Found {
  readonly kind: "account" | "user" | "job" | "request" | "payment";
  readonly id: string;
  readonly account_id: string | null;
  readonly title: string;
  readonly detail: string | null;
  readonly at: string | null;
}

/** The first thing: what a customer writes in, and what it leads to. */
export function SearchPage() {
  const [params, setParams] = useSearchParams();
  const asked = params.get("q") ?? "";
  const [text, setText] = useState(asked);
  useEffect(() => setText(asked), [asked]);
  const search = (event: FormEvent) => {
    event.preventDefault();
    setParams(text.trim() ? { q: text.trim() } : {});
  };
  return (
    <Page title="Search">
      <Stack
        component="form"
        direction="row"
        spacing={1}
        onSubmit={search}
        sx={{ my: 2, maxWidth: 720 }}
      >
        <TextField
          autoFocus
          fullWidth
          size="small"
          label="Mail, or the id of a user, account, job, request or payment"
          value={text}
          onChange={(event) => setText(event.target.value)}
          slotProps={{ htmlInput: { maxLength: 255, autoCapitalize: "none" } }}
        />
        <Button type="submit" variant="contained">Find</Button>
      </Stack>
      {asked.length >= 3 ? <Results text={asked} /> : (
        <Empty>
          At least 3 characters. Of a mail its first characters do.
        </Empty>
      )}
    </Page>
  );
}

function Results({ text }: { text: string }) {
  const { data, error, isPending, refetch } = useCall<Found[]>(
    "operator_search",
    { p_text: text, p_limit: 20 },
  );
  if (isPending) return <Loading />;
  if (error) return <Failure error={error} retry={() => refetch()} />;
  if (data.length === 0) {
    return (
      <Empty>
        Nothing has this mail or id. An id must be whole; of a mail the first
        characters do.
      </Empty>
    );
  }
  return (
    <table className="board">
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col">Found</th>
          <th scope="col">Detail</th>
          <th scope="col">At</th>
        </tr>
      </thead>
      <tbody>
        {data.map(({ kind, id, account_id, title, detail, at }) => (
          <tr key={`${kind} ${id}`}>
            <td data-label="Kind">{kind}</td>
            <td data-label="Found">
              <Link to={pathTo(kind, id, account_id)}>{title || id}</Link>
            </td>
            <td data-label="Detail">{detail}</td>
            <td data-label="At" className="time">
              <Time at={at} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
