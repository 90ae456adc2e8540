package dev.waymark;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.zip.CRC32C;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/**
 * Prints and parses session tokens as short text for a header, a cookie or a job.
 *
 * <p>With a secret each token carries an HMAC-SHA256 and anything not signed with the same secret
 * is refused. Without one it carries a checksum, which finds damage but not forgery; a forged token
 * can then send its own bearer's reads to the primary, or let its bearer's calls wait out their
 * deadline for a promotion that never was. Safe to share between threads.
 */
public final class SessionTokenFormat {
  /** The longest text that is looked at, in characters. */
  static final int MAXIMUM_LENGTH = 16_384;

  private static final String UNSIGNED = "wm1.";
  private static final String SIGNED = "wm1s.";
  private static final int CHECKSUM_BYTES = Integer.BYTES;
  private static final int SIGNATURE_BYTES = 16;
  private static final int ENTRY_BYTES = Long.BYTES + Integer.BYTES + Long.BYTES;

  /** The two highest bits of an entry's timeline tell its kind; a position written has neither. */
  private static final int READ = 1 << 30;

  private static final int MARK = 1 << 31;

  /** Both at once. */
  private static final int UNTOLD = READ | MARK;

  private final @Nullable SecretKeySpec secret;

  private SessionTokenFormat(@Nullable SecretKeySpec secret) {
    this.secret = secret;
  }

  /** Tokens with a checksum only. */
  public static SessionTokenFormat unsigned() {
    return new SessionTokenFormat(null);
  }

  /**
   * Tokens signed with a secret that all processes of the service share.
   *
   * @param secret at least 16 characters
   */
  public static SessionTokenFormat signedWith(String secret) {
    if (secret.length() < 16) {
      throw new IllegalArgumentException(
          "The secret of session tokens must have at least 16 characters, not " + secret.length());
    }
    return new SessionTokenFormat(
        new SecretKeySpec(secret.getBytes(StandardCharsets.UTF_8), "HmacSHA256"));
  }

  /** The token as URL-safe text. */
  public String print(SessionToken token) {
    byte[] payload = payload(token);
    byte[] seal = seal(payload);
    byte[] all = Arrays.copyOf(payload, payload.length + seal.length);
    System.arraycopy(seal, 0, all, payload.length, seal.length);
    return prefix() + encode(all);
  }

  /** One token has one form: its entries in their order. */
  private static byte[] payload(SessionToken token) {
    int entries =
        token.positions().size()
            + token.reads().size()
            + token.marks().size()
            + token.untold().size();
    ByteBuffer payload = ByteBuffer.allocate(entries * ENTRY_BYTES);
    for (LogPosition position : token.positions()) {
      payload.putLong(position.systemId()).putInt(position.timeline()).putLong(position.lsn());
    }
    for (LogPosition position : token.reads()) {
      payload.putLong(position.systemId());
      payload.putInt(position.timeline() | READ).putLong(position.lsn());
    }
    for (ReadMark mark : token.marks()) {
      payload.putLong(mark.systemId()).putInt(mark.timeline() | MARK).putLong(mark.server());
    }
    for (LogPosition position : token.untold()) {
      payload.putLong(position.systemId());
      payload.putInt(position.timeline() | UNTOLD).putLong(position.lsn());
    }
    return payload.array();
  }

  private static String encode(byte[] bytes) {
    return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
  }

  /**
   * The token that a text stands for.
   *
   * @throws InvalidSessionTokenException if the text is malformed, damaged or not signed with this
   *     format's secret
   */
  public SessionToken parse(String text) {
    if (text.length() > MAXIMUM_LENGTH) {
      throw new InvalidSessionTokenException("it is longer than " + MAXIMUM_LENGTH + " characters");
    }
    if (!text.startsWith(prefix())) {
      throw new InvalidSessionTokenException(
          secret != null && text.startsWith(UNSIGNED)
              ? "it is not signed"
              : "it does not start with " + prefix());
    }
    byte[] all;
    try {
      all = Base64.getUrlDecoder().decode(text.substring(prefix().length()));
    } catch (IllegalArgumentException notBase64) {
      throw new InvalidSessionTokenException("it is not base64url text");
    }
    // The decoder ignores padding and the unused bits of the last character, so that several texts
    // would stand for one token.
    if (!text.equals(prefix() + encode(all))) {
      throw new InvalidSessionTokenException("it is not base64url text");
    }
    int sealBytes = secret == null ? CHECKSUM_BYTES : SIGNATURE_BYTES;
    if (all.length < sealBytes || (all.length - sealBytes) % ENTRY_BYTES != 0) {
      throw new InvalidSessionTokenException("it is cut short");
    }
    byte[] payload = Arrays.copyOf(all, all.length - sealBytes);
    byte[] seal = Arrays.copyOfRange(all, payload.length, all.length);
    // Constant time, so that a forger learns nothing from how long the refusal took.
    if (!MessageDigest.isEqual(seal, seal(payload))) {
      throw new InvalidSessionTokenException(
          secret == null ? "its checksum is wrong" : "its signature is wrong");
    }
    return read(ByteBuffer.wrap(payload));
  }

  private SessionToken read(ByteBuffer payload) {
    byte[] given = payload.array();
    try {
      SessionToken token = SessionToken.empty();
      while (payload.hasRemaining()) {
        long systemId = payload.getLong();
        int timeline = payload.getInt();
        long lsn = payload.getLong();
        if ((timeline & UNTOLD) == UNTOLD) {
          token = token.untoldUpTo(new LogPosition(systemId, timeline & ~UNTOLD, lsn));
        } else if ((timeline & MARK) != 0) {
          token = token.readFrom(new ReadMark(systemId, timeline & ~MARK, lsn));
        } else if ((timeline & READ) != 0) {
          token = token.readUpTo(new LogPosition(systemId, timeline & ~READ, lsn));
        } else {
          token = token.advancedTo(new LogPosition(systemId, timeline, lsn));
        }
      }
      if (!Arrays.equals(given, payload(token))) {
        throw new InvalidSessionTokenException("its positions are out of order");
      }
      return token;
    } catch (IllegalArgumentException malformed) {
      throw new InvalidSessionTokenException("it holds an impossible position");
    }
  }

  private byte[] seal(byte[] payload) {
    if (secret == null) {
      CRC32C checksum = new CRC32C();
      checksum.update(payload);
      return ByteBuffer.allocate(CHECKSUM_BYTES).putInt((int) checksum.getValue()).array();
    }
    try {
      Mac mac = Mac.getInstance("HmacSHA256");
      mac.init(secret);
      return Arrays.copyOf(mac.doFinal(payload), SIGNATURE_BYTES);
    } catch (GeneralSecurityException impossible) {
      throw new IllegalStateException("Every Java platform has HmacSHA256", impossible);
    }
  }

  private String prefix() {
    return secret == null ? UNSIGNED : SIGNED;
  }

  @Override
  public String toString() {
    return secret == null ? "SessionTokenFormat[unsigned]" : "SessionTokenFormat[signed]";
  }
}
