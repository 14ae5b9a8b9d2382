// Package page is the analyst's page: tasks, results as charts and tables, batches that fill, the privacy budget, and
// forms to create a task and to collect. It is plain HTML, made here from a [service.Analyst]. Reading needs no
// JavaScript; with it a form shows its plan as one types, and a task that fills shows its progress without a reload.
//
// Everything comes from the same origin: the style sheet and the script are embedded, and charts are images that
// package chart draws.
//
// # What keeps it safe
//
//   - Nothing but the login and the static files is there without a session. A session begins with an analyst's token, which
//     is checked again with each request: a revoked token ends its sessions. The cookie holds a random name and nothing
//     else, and is HttpOnly and SameSite.
//   - A form needs the session's CSRF token, and a request that a browser sends from another site is refused before.
//   - Attempts to log in are limited, for each address and in all.
//   - Every answer has a Content-Security-Policy that allows what comes from here and no inline script or style.
//   - All values are escaped by html/template. Private answers are not stored by caches.
//
// Tokens are secret: they are in no page, no log and no error.
package page
