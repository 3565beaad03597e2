// How scripts ask the console: whoever is no longer signed in goes to the sign-in, and comes back to this page.
export async function ask(url, options = {}) {
  const answer = await fetch(url, { ...options, headers: { ...options.headers, "X-Part": "1" } });
  const kind = answer.headers.get("content-type") ?? "";
  if (answer.status !== 401 || !kind.startsWith("application/json")) return answer;
  location.assign((await answer.json()).sign_in);
  return new Promise(() => {}); // this page is left
}
