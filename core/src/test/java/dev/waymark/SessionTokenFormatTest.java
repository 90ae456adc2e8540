package dev.waymark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.util.Base64;
import java.util.zip.CRC32C;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.CharRange;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.StringLength;
import net.jqwik.api.domains.Domain;
import net.jqwik.api.domains.DomainContext;

@Domain(SessionTokenTest.Tokens.class)
@Domain(DomainContext.Global.class)
class SessionTokenFormatTest {
  private static final String SECRET = "a secret of the test";

  private final SessionTokenFormat unsigned = SessionTokenFormat.unsigned();
  private final SessionTokenFormat signed = SessionTokenFormat.signedWith(SECRET);

  @Property(tries = 300)
  void whatIsPrintedIsParsedBack(@ForAll SessionToken token) {
    assertThat(unsigned.parse(unsigned.print(token))).isEqualTo(token);
    assertThat(signed.parse(signed.print(token))).isEqualTo(token);
  }

  @Property(tries = 100)
  void textNeedsNoEscapingInHeadersAndCookies(@ForAll SessionToken token) {
    assertThat(signed.print(token)).matches("[A-Za-z0-9._-]+");
  }

  @Property(tries = 500)
  void anyOtherCharacterAnywhereIsRefused(
      @ForAll SessionToken token,
      @ForAll boolean sign,
      @ForAll @IntRange(max = 1000) int place,
      @ForAll char other) {
    SessionTokenFormat format = sign ? signed : unsigned;
    String text = format.print(token);
    int at = place % text.length();
    // Most random characters are no base64 at all; these find what a decoder lets pass.
    char near = (char) (text.charAt(at) ^ (1 + other % 7));

    assertRefused(format, replace(text, at, near));
    if (other != text.charAt(at)) {
      assertRefused(format, replace(text, at, other));
    }
  }

  @Property(tries = 200)
  void textCutOrLengthenedIsRefused(
      @ForAll SessionToken token, @ForAll @IntRange(max = 1000) int place) {
    String text = signed.print(token);

    assertRefused(signed, text.substring(0, place % text.length()));
    assertRefused(signed, text + "A");
    assertRefused(signed, text + "=");
    assertRefused(signed, text + " ");
  }

  @Property(tries = 100)
  void tokenSignedWithAnotherSecretIsRefused(@ForAll SessionToken token) {
    SessionTokenFormat others = SessionTokenFormat.signedWith(SECRET + "!");

    assertThatThrownBy(() -> signed.parse(others.print(token)))
        .isInstanceOf(InvalidSessionTokenException.class)
        .hasMessage(refusal("its signature is wrong"));
  }

  @Property(tries = 300)
  void garbageIsRefusedAndNothingElseHappens(@ForAll String garbage) {
    for (SessionTokenFormat format : new SessionTokenFormat[] {unsigned, signed}) {
      assertRefused(format, garbage);
      assertRefused(format, "wm1." + garbage);
      assertRefused(format, "wm1s." + garbage);
    }
  }

  @Property(tries = 300)
  void lettersBehindTheRightPrefixAreRefused(
      @ForAll @StringLength(max = 60) @CharRange(from = 'A', to = 'Z') String letters) {
    // Six letters A are the empty token: no positions, whose checksum is zero.
    if (!letters.equals("AAAAAA")) {
      assertRefused(unsigned, "wm1." + letters);
    }
    assertRefused(signed, "wm1s." + letters);
  }

  @Example
  void unsignedTokenIsRefusedWhereTokensAreSigned() {
    String text = unsigned.print(SessionToken.of(new LogPosition(1, 1, 1)));

    assertThatThrownBy(() -> signed.parse(text))
        .isInstanceOf(InvalidSessionTokenException.class)
        .hasMessage(refusal("it is not signed"));
  }

  @Example
  void signedTokenIsRefusedWhereTokensAreNot() {
    String text = signed.print(SessionToken.of(new LogPosition(1, 1, 1)));

    assertThatThrownBy(() -> unsigned.parse(text))
        .isInstanceOf(InvalidSessionTokenException.class)
        .hasMessage(refusal("it does not start with wm1."));
  }

  @Example
  void overlongTextIsRefusedUnread() {
    assertThatThrownBy(
            () -> unsigned.parse("wm1." + "A".repeat(SessionTokenFormat.MAXIMUM_LENGTH - 3)))
        .isInstanceOf(InvalidSessionTokenException.class)
        .hasMessage(refusal("it is longer than 16384 characters"));
  }

  @Example
  void impossibleAndUnorderedPositionsAreRefusedThoughTheChecksumIsRight() {
    // Timeline 0, and two positions of one timeline; each with its CRC32C.
    assertRefused(unsigned, sealed(new long[] {1, 0, 1}));
    assertRefused(unsigned, sealed(new long[] {1, 1, 1}, new long[] {1, 1, 2}));
    assertRefused(unsigned, sealed(new long[] {2, 1, 1}, new long[] {1, 1, 1}));
  }

  @Example
  void damageIsNamed() {
    String text = unsigned.print(SessionToken.of(new LogPosition(1, 1, 1)));

    assertThatThrownBy(() -> unsigned.parse(replace(text, 4, 'B')))
        .hasMessage(refusal("its checksum is wrong"));
    assertThatThrownBy(() -> unsigned.parse("wm1.AAAAAAAA")).hasMessage(refusal("it is cut short"));
    assertThatThrownBy(() -> unsigned.parse("wm1.!"))
        .hasMessage(refusal("it is not base64url text"));
  }

  @Example
  void shortSecretIsRefusedWithoutRepeatingIt() {
    assertThatThrownBy(() -> SessionTokenFormat.signedWith("hunter2"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("The secret of session tokens must have at least 16 characters, not 7");
  }

  @Example
  void printingAFormatDoesNotShowItsSecret() {
    assertThat(signed).hasToString("SessionTokenFormat[signed]");
    assertThat(unsigned).hasToString("SessionTokenFormat[unsigned]");
  }

  private static void assertRefused(SessionTokenFormat format, String text) {
    assertThatThrownBy(() -> format.parse(text)).isInstanceOf(InvalidSessionTokenException.class);
  }

  private static String refusal(String why) {
    return "The session token was refused: "
        + why
        + ". Nothing was sent, so the call may be repeated without it; read with strong"
        + " consistency to be sure to see earlier writes.";
  }

  private static String replace(String text, int at, char other) {
    return text.substring(0, at) + other + text.substring(at + 1);
  }

  private static String sealed(long[]... positions) {
    ByteBuffer payload = ByteBuffer.allocate(positions.length * 20 + 4);
    for (long[] position : positions) {
      payload.putLong(position[0]).putInt((int) position[1]).putLong(position[2]);
    }
    CRC32C checksum = new CRC32C();
    checksum.update(payload.array(), 0, positions.length * 20);
    payload.putInt((int) checksum.getValue());
    return "wm1." + Base64.getUrlEncoder().withoutPadding().encodeToString(payload.array());
  }
}
