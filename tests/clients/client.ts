// What a TypeScript client writes against the types that openapi-typescript makes of our document:
// bodies with their required members alone, a search by attribute, an answer told from a problem.
import createClient from "openapi-fetch";
import type { components, paths } from "./api";

type EventDraft = components["schemas"]["EventDraft"];

const api = createClient<paths>({
  baseUrl: "http://127.0.0.1:8800",
  querySerializer: { object: { style: "form", explode: true } },
});
const header = { "X-TWC-Tenant": "acme" };

const least: EventDraft = {
  entity_id: "1000144",
  event_payload: { operation: "UPDATE" },
  event_source: "ORDER",
  event_type: "ENTITY_EVENT",
};

export async function post(): Promise<string> {
  const { data, error } = await api.POST("/api/v1/events", { params: { header }, body: least });
  if (error) throw new Error(error.detail);
  return data.id;
}

export async function postMany(): Promise<number> {
  const { data, error } = await api.POST("/api/v1/events:batch", {
    params: { header },
    body: [least, { ...least, entity_name: "order" }],
  });
  if (!data) throw new Error(String(error));
  return data.items.filter((item) => item.problem).length;
}

export async function search(): Promise<string[]> {
  const query = { event_type: "FAULT", key_attributes: { "key_attributes.correlationId": "1" } } as const;
  const { data, error } = await api.GET("/api/v1/events", { params: { header, query } });
  if (error) throw new Error(error.detail);
  return data.events.map((event) => event.event_payload.operation);
}

export async function subscribe(): Promise<boolean | undefined> {
  const { data, error } = await api.POST("/api/v1/subscriptions", {
    params: { header },
    body: {
      name: "faults",
      filter: { event_type: ["FAULT"] },
      destination: { type: "sqs", arn: "arn:aws:sqs:eu-west-1:123456789012:faults" },
      delivery: { messages_per_s: 200, dead_letter: null },
    },
  });
  if (error) throw new Error(error.detail);
  return data.enabled;
}

export async function slower(id: string): Promise<string | undefined> {
  const { data, error } = await api.PATCH("/api/v1/subscriptions/{id}", {
    params: { header, path: { id } },
    body: { delivery: { fairness: null, messages_per_s: 20 } },
  });
  if (error) throw new Error(error.detail);
  return data.delivery?.fairness;
}
