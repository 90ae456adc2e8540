package dev.waymark.sample;

import dev.waymark.Consistency;
import dev.waymark.InvalidSessionTokenException;
import dev.waymark.routing.Session;
import dev.waymark.routing.ShardedDatabase;
import io.javalin.http.Context;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Gives every request the session of its client: the token comes in a header or a cookie, the
 * session is bound to the request's thread, and the token goes back in both.
 *
 * <p>A token that is refused is never trusted. What the client has seen is then unknown, so that
 * the request reads with strong consistency, and is told why.
 */
final class RequestSessions {
  static final String HEADER = "Waymark-Session";
  static final String REFUSED_HEADER = "Waymark-Session-Refused";
  static final String COOKIE = "waymark_session";

  private static final String ATTRIBUTE = RequestSessions.class.getName();
  private static final String KEPT_OUT = ATTRIBUTE + ".keptOut";

  private final ShardedDatabase database;

  RequestSessions(ShardedDatabase database) {
    this.database = database;
  }

  private record Bound(Session session, Session.Binding binding) {}

  void begin(Context context) {
    String token = token(context);
    Session session;
    if (token == null) {
      session = database.newSession();
    } else {
      try {
        session = database.resumeSession(token);
      } catch (InvalidSessionTokenException refused) {
        session = database.newSession(Consistency.strong());
        context.header(REFUSED_HEADER, reason(refused));
      }
    }
    context.attribute(ATTRIBUTE, new Bound(session, session.bind()));
  }

  /** After whatever request, also after a failure: the thread serves somebody else next. */
  void end(Context context) {
    Bound bound = context.attribute(ATTRIBUTE);
    if (bound == null) {
      return;
    }
    bound.binding().close();
    if (context.attribute(KEPT_OUT) != null) {
      return;
    }
    if (!bound.session().seen().isEmpty()) {
      String token = bound.session().token();
      context.header(HEADER, token);
      context.res().addHeader("Set-Cookie", cookie(token, context.req().isSecure()));
    } else if (context.cookie(COOKIE) != null) {
      // Nothing better to replace it with, and it would be refused each time.
      context.removeCookie(COOKIE, "/");
    }
  }

  /** By hand: a token has no character that a cookie must not have, and no other cookie is set. */
  private static String cookie(String token, boolean isSecure) {
    return COOKIE + "=" + token + "; Path=/; HttpOnly; SameSite=Lax" + (isSecure ? "; Secure" : "");
  }

  /** Whether a request says that its client has seen something. */
  static boolean hasToken(Context context) {
    return token(context) != null;
  }

  /** Keeps the session out of an answer that others may get as well. */
  static void keepOut(Context context) {
    context.attribute(KEPT_OUT, true);
  }

  /** The first sentence; what follows tells a caller to do what has just been done here. */
  private static String reason(InvalidSessionTokenException refused) {
    return Objects.requireNonNull(refused.getMessage()).split("(?<=\\.) ", 2)[0];
  }

  private static @Nullable String token(Context context) {
    String header = context.header(HEADER);
    String token = header == null || header.isBlank() ? context.cookie(COOKIE) : header.trim();
    return token == null || token.isBlank() ? null : token;
  }
}
