package dev.waymark.sample;

import io.javalin.http.Context;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;

/**
 * Lets in whoever bears the service's token: {@code Authorization: Bearer <token>}. Without a token
 * of the service there is nothing to be let into: its routes are not there.
 */
final class AccessToken {
  private final byte[] expected;
  private final boolean isSet;

  /**
   * A token.
   *
   * @param token empty for none
   */
  AccessToken(String token) {
    this.expected = ("Bearer " + token).getBytes(StandardCharsets.UTF_8);
    this.isSet = !token.isEmpty();
  }

  /** Whether the routes that it guards are to be there. */
  boolean isSet() {
    return isSet;
  }

  /**
   * Lets a request pass, or not.
   *
   * @throws Refusal if it does not bear the token
   */
  void require(Context context) {
    String sent = context.header("Authorization");
    // Takes the same time however much of a guess is right.
    if (!isSet
        || sent == null
        || !MessageDigest.isEqual(expected, sent.getBytes(StandardCharsets.UTF_8))) {
      throw Refusal.of(Problem.UNAUTHORIZED, "This is for those who bear the service's token.")
          .with("WWW-Authenticate", "Bearer");
    }
  }
}
