/**
 * The service worker: keeps what the page is made of, so that it opens without a network. It keeps nothing of a member
 * and answers nothing of the gateway's: figures that are remembered are the page's own, and marked there.
 *
 * A new build is installed beside the old one and takes over once no page of the old one is open: a page never loses the
 * parts that it has not loaded yet. The page itself is asked for anew first, for as long as anybody can wait.
 */
const FILES = __FILES__;
const PAGE = "/";
const BESIDE = ["/manifest.webmanifest", "/icon.svg"];
const PAGE_WAIT_MS = 3_000;
const PREFIX = "moa-";
// The names have hashes of what is in them, so together they name the build.
const CACHE = PREFIX + FILES.join().split("/assets/").join("");

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll([PAGE, ...BESIDE, ...FILES])));
});

self.addEventListener("activate", (event) => {
  const others = (names) => names.filter((name) => name.startsWith(PREFIX) && name !== CACHE);
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(others(names).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate" && pathname === PAGE) event.respondWith(page(request));
  else if (FILES.includes(pathname) || BESIDE.includes(pathname)) event.respondWith(kept(request));
});

async function kept(request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(new URL(request.url).pathname)) ?? fetch(request);
}

/** The page as it is now; as it was kept when nobody answers in time. */
async function page(request) {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PAGE_WAIT_MS) });
    if (answer.ok) return answer;
  } catch {
    // No network, or nobody there: what was kept serves.
  }
  const cache = await caches.open(CACHE);
  return (await cache.match(PAGE)) ?? Response.error();
}
