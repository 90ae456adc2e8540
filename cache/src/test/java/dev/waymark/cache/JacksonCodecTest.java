package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class JacksonCodecTest {
  record User(long id, String name, Instant since, Optional<String> email, List<String> roles) {}

  @JsonTypeInfo(use = JsonTypeInfo.Id.CLASS)
  interface Named {}

  record Known(String name) implements Named {}

  private final Codec<User> codec = Codec.json(User.class, 1);

  @Test
  void recordComesBack() {
    User user =
        new User(
            7,
            "Ada Ł",
            Instant.parse("2026-11-23T08:30:27.123456Z"),
            Optional.empty(),
            List.of("a", "b"));
    assertThat(codec.decode(codec.encode(user))).isEqualTo(user);
  }

  @Test
  void fieldsOfALaterVersionArePassedOver() {
    byte[] bytes =
        "{\"id\":7,\"name\":\"Ada\",\"shoeSize\":38,\"roles\":[]}".getBytes(StandardCharsets.UTF_8);
    assertThat(codec.decode(bytes).name()).isEqualTo("Ada");
  }

  @Test
  void fingerprintNamesVersionAndClass() {
    assertThat(codec.fingerprint())
        .isEqualTo("json 1 dev.waymark.cache.JacksonCodecTest$User")
        .isNotEqualTo(Codec.json(User.class, 2).fingerprint());
  }

  @Test
  void whatIsNoJsonThrows() {
    assertThatThrownBy(() -> codec.decode("{\"id\":7} x".getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(RuntimeException.class);
    assertThatThrownBy(() -> codec.decode(new byte[0])).isInstanceOf(RuntimeException.class);
  }

  @Test
  void bytesNeverChooseAClass() {
    byte[] bytes =
        "{\"@class\":\"dev.waymark.cache.JacksonCodecTest$Known\",\"name\":\"x\"}"
            .getBytes(StandardCharsets.UTF_8);
    assertThatThrownBy(() -> Codec.json(Named.class, 1).decode(bytes))
        .hasMessageContaining("denied resolution");
  }

  @Test
  void schemaVersionStartsAtOne() {
    assertThatThrownBy(() -> Codec.json(User.class, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("A schema version is at least 1, not 0");
  }
}
