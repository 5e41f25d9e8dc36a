import type { SupabaseClient } from "@supabase/supabase-js";
import { QueryClient } from "@tanstack/react-query";
import { useMemo } from "react";
import { Admin, CustomRoutes } from "react-admin";
import { Route } from "react-router-dom";
import type { Config } from "./config.ts";
import { authProvider } from "./data/auth.ts";
import { ClientContext } from "./data/client.ts";
import type { Problem } from "./data/problem.ts";
import { dataProvider } from "./data/provider.ts";
import { ConsoleLayout } from "./layout.tsx";
import { AccountPage } from "./pages/account.tsx";
import { AlertsPage } from "./pages/alerts.tsx";
import { ApprovalsPage } from "./pages/approvals.tsx";
import { DemoPage } from "./pages/demo.tsx";
import { DiscrepanciesPage } from "./pages/discrepancies.tsx";
import { EventsPage } from "./pages/events.tsx";
import { JobPage } from "./pages/job.tsx";
import { JobsPage } from "./pages/jobs.tsx";
import { LogPage } from "./pages/log.tsx";
import { ModelsPage } from "./pages/models.tsx";
import { PaymentsPage } from "./pages/payments.tsx";
import { ProvidersPage } from "./pages/providers.tsx";
import { RequestPage } from "./pages/request.tsx";
import { SearchPage } from "./pages/search.tsx";
import { SecondFactorPage } from "./pages/second_factor.tsx";
import { SignInPage } from "./pages/sign_in.tsx";
import { TeamPage } from "./pages/team.tsx";
import { THEME } from "./theme.ts";

/** The console for one project. Addresses are behind a hash, so that any static host serves each of them. */
export function App(
  { client, config }: { client: SupabaseClient; config: Config },
) {
  const parts = useMemo(() => ({
    auth: authProvider(client),
    data: dataProvider(client),
    queries: newQueries(),
  }), [client]);
  return (
    <ClientContext.Provider value={client}>
      <Admin
        authProvider={parts.auth}
        dataProvider={parts.data}
        queryClient={parts.queries}
        layout={ConsoleLayout}
        loginPage={SignInPage}
        dashboard={SearchPage}
        title="Atomic Credits"
        theme={THEME}
        darkTheme={null}
        requireAuth
        disableTelemetry
      >
        <CustomRoutes noLayout>
          {config.demo && <Route path="/demo/:token" element={<DemoPage />} />}
        </CustomRoutes>
        <CustomRoutes>
          <Route path="/accounts/:id/:part?" element={<AccountPage />} />
          <Route path="/jobs" element={<JobsPage />} />
          <Route path="/jobs/:id" element={<JobPage />} />
          <Route path="/requests/:id" element={<RequestPage />} />
          <Route path="/payments/:part?" element={<PaymentsPage />} />
          <Route path="/alerts" element={<AlertsPage />} />
          <Route path="/discrepancies" element={<DiscrepanciesPage />} />
          <Route path="/events" element={<EventsPage />} />
          <Route path="/models" element={<ModelsPage />} />
          <Route path="/providers" element={<ProvidersPage />} />
          <Route path="/approvals" element={<ApprovalsPage />} />
          <Route path="/team" element={<TeamPage />} />
          <Route path="/log" element={<LogPage />} />
          <Route path="/second-factor" element={<SecondFactorPage />} />
        </CustomRoutes>
      </Admin>
    </ClientContext.Provider>
  );
}

/** Asks a second time where the API failed, and says so after that. */
function newQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        retry: (count, error) =>
          count < 1 && ((error as Partial<Problem>).status ?? 0) >= 500,
        retryDelay: 500,
        staleTime: 5_000,
      },
    },
  });
}
