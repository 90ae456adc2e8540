package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.dataformat.smile.databind.SmileMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class JacksonCodecTest {
  private static final AtomicInteger BUILT = new AtomicInteger();

  record User(
      long id,
      String name,
      Instant since,
      ZonedDateTime seen,
      Optional<String> email,
      List<String> roles,
      byte[] picture) {}

  @JsonTypeInfo(use = JsonTypeInfo.Id.CLASS)
  interface Named {}

  /** What an attacker would like to have built. */
  record Gadget(String name) implements Named {
    Gadget {
      BUILT.incrementAndGet();
    }
  }

  record Loose(Object anything, Map<String, Object> more) {}

  private static ObjectMapper plain(JacksonCodec.Form form) {
    return form == JacksonCodec.Form.JSON ? new ObjectMapper() : new SmileMapper();
  }

  private static byte[] bytes(JacksonCodec.Form form, String json) {
    try {
      ObjectMapper mapper = plain(form);
      return mapper.writeValueAsBytes(new ObjectMapper().readTree(json));
    } catch (IOException impossible) {
      throw new AssertionError(impossible);
    }
  }

  @ParameterizedTest
  @EnumSource(JacksonCodec.Form.class)
  void recordComesBack(JacksonCodec.Form form) {
    Codec<User> codec = JacksonCodec.of(form, User.class, 1);
    byte[] picture = {0, -1, 127, 13};
    User user =
        new User(
            7,
            "Ada Ł",
            Instant.parse("2026-11-23T08:30:27.123456Z"),
            ZonedDateTime.parse("2026-11-23T08:30:27.123456789+01:00[Europe/Warsaw]"),
            Optional.empty(),
            List.of("a", "b"),
            picture);
    assertThat(codec.decode(codec.encode(user))).usingRecursiveComparison().isEqualTo(user);
  }

  @ParameterizedTest
  @EnumSource(JacksonCodec.Form.class)
  void unknownFieldsArePassedOver(JacksonCodec.Form form) {
    byte[] bytes = bytes(form, "{\"id\":7,\"name\":\"Ada\",\"shoeSize\":38,\"roles\":[]}");
    assertThat(JacksonCodec.of(form, User.class, 1).decode(bytes).name()).isEqualTo("Ada");
  }

  @ParameterizedTest
  @EnumSource(JacksonCodec.Form.class)
  void bytesNeverChooseAClass(JacksonCodec.Form form) {
    byte[] named =
        bytes(form, "{\"@class\":\"dev.waymark.cache.JacksonCodecTest$Gadget\",\"name\":\"x\"}");
    assertThatThrownBy(() -> JacksonCodec.of(form, Named.class, 1).decode(named))
        .hasMessageContaining("denied resolution");

    // Where a field's type is open, what looks like a type is data like any other.
    String type = "[\"dev.waymark.cache.JacksonCodecTest$Gadget\",{\"name\":\"x\"}]";
    byte[] hidden =
        bytes(form, "{\"anything\":" + type + ",\"more\":{\"@class\":\"java.io.File\"}}");
    Loose loose = JacksonCodec.of(form, Loose.class, 1).decode(hidden);
    assertThat(loose.anything()).isInstanceOf(List.class);
    assertThat(loose.more()).isEqualTo(Map.of("@class", "java.io.File"));
    assertThat(BUILT).hasValue(0);
  }

  @ParameterizedTest
  @EnumSource(JacksonCodec.Form.class)
  void whatIsNoValueThrows(JacksonCodec.Form form) {
    Codec<User> codec = JacksonCodec.of(form, User.class, 1);
    for (byte[] bytes :
        List.of(
            new byte[0],
            new byte[] {':', ')', '\n'},
            "{\"id\":7".getBytes(StandardCharsets.UTF_8),
            bytes(form, "[1,2]"),
            bytes(form, "{\"id\":{}}"))) {
      assertThatThrownBy(() -> codec.decode(bytes)).isInstanceOf(RuntimeException.class);
    }
  }

  /** In Smile a second document may follow the first by design; the checksum minds what follows. */
  @Test
  void textAfterTheValueThrows() {
    assertThatThrownBy(
            () -> Codec.json(User.class, 1).decode("{\"id\":7} x".getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(RuntimeException.class);
  }

  @Test
  void listInSmileNamesItsPropertiesOnce() {
    record Order(long number, String product, int quantity) {}

    List<Order> orders =
        IntStream.range(0, 100).mapToObj(i -> new Order(1_000_000 + i, "p" + i, i)).toList();
    Codec<List<Order>> json = Codec.json(Order.class, 1).ofLists();
    Codec<List<Order>> smile = Codec.smile(Order.class, 1).ofLists();
    assertThat(smile.decode(smile.encode(orders))).isEqualTo(orders);
    assertThat(json.decode(json.encode(orders))).isEqualTo(orders);
    assertThat(smile.encode(orders).length).isLessThan(json.encode(orders).length / 2);
  }

  @Test
  void fingerprintNamesFormVersionAndClass() {
    assertThat(Codec.json(User.class, 1).fingerprint())
        .startsWith("json 1 dev.waymark.cache.JacksonCodecTest$User ")
        .isEqualTo(Codec.json(User.class, 1).fingerprint())
        .isNotEqualTo(Codec.json(User.class, 2).fingerprint())
        .isNotEqualTo(Codec.smile(User.class, 1).fingerprint())
        .isNotEqualTo(Codec.json(User.class, 1).ofLists().fingerprint());
  }

  @Test
  void schemaVersionStartsAtOne() {
    assertThatThrownBy(() -> Codec.json(User.class, 0))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("A schema version is at least 1, not 0");
  }
}
