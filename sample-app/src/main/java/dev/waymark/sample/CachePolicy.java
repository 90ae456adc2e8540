package dev.waymark.sample;

import io.javalin.http.Context;

/**
 * Who may keep an answer, and for how long. Every answer says so; what says nothing is kept by
 * guesses.
 */
enum CachePolicy {
  /** Nobody: lists of changes, failures, anything without a tag. */
  NOBODY {
    @Override
    void say(Context context, Purges purges, String surrogateKey) {
      context.header("Cache-Control", "no-store");
    }
  },

  /**
   * The client, who asks each time whether it still stands: a user, its orders. It is asked with
   * the session token, so that what is older than the client's own writes gets no 304. Caches on
   * the way must not keep it, those that prefer a field of their own (RFC 9213) included.
   */
  CLIENT {
    @Override
    void say(Context context, Purges purges, String surrogateKey) {
      context.header("Cache-Control", "private, no-cache");
      context.header("CDN-Cache-Control", "no-store");
    }
  },

  /**
   * Everybody: what is the same for all who ask. A browser and an ordinary proxy ask each time; the
   * cache that is purged may answer by itself, and only requests that bear no session: to one whose
   * client has written, it must not give what it kept from before. {@code Vary} sees to that, and
   * the answer to such a request is for its client alone.
   */
  EVERYBODY {
    @Override
    void say(Context context, Purges purges, String surrogateKey) {
      if (RequestSessions.hasToken(context)) {
        CLIENT.say(context, purges, surrogateKey);
        return;
      }
      RequestSessions.keepOut(context);
      context.header("Cache-Control", "public, no-cache");
      context.header(
          "CDN-Cache-Control",
          purges.areSent() ? "public, max-age=" + SHARED_SECONDS : "public, no-cache");
      context.header("Surrogate-Key", surrogateKey);
    }
  };

  /** The bound where a purge is lost or overtaken. */
  static final int SHARED_SECONDS = 60;

  /**
   * What an answer depends on besides its URL. On every answer, errors too: a cache applies the
   * last one that it saw.
   */
  static final String VARY = String.join(", ", ApiVersion.HEADER, RequestSessions.HEADER, "Cookie");

  abstract void say(Context context, Purges purges, String surrogateKey);
}
