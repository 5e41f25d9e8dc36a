import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useNavigate, useParams } from "react-router-dom";
import { useClient } from "../data/client.ts";
import { Failure, Loading } from "../parts/states.tsx";

/**
 * Signs the demo operator in by the link that `npm start` prints. There is such a page on loopback only: elsewhere a
 * link could sign an operator in as somebody else.
 */
export function DemoPage() {
  const { token = "" } = useParams();
  const client = useClient();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    client.auth.setSession({ access_token: token, refresh_token: "none" })
      .then(({ error }) => {
        if (error) return setError(error);
        queries.clear();
        navigate("/", { replace: true });
      });
  }, [client, token]);
  return error ? <Failure error={error} /> : <Loading />;
}
