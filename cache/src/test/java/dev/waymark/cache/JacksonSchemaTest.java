package dev.waymark.cache;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Each pair of classes stands for one class in two versions of a program. */
class JacksonSchemaTest {
  private static String hash(Class<?> type) {
    ObjectMapper mapper = JacksonCodec.Form.JSON.mapper();
    return JacksonSchema.hash(mapper, mapper.constructType(type));
  }

  record Before(long id, String name) {}

  record Reordered(String name, long id) {}

  record Grown(long id, String name, boolean verified) {}

  record Shrunk(long id) {}

  record Retyped(int id, String name) {}

  record Renamed(long id, @JsonProperty("fullName") String name) {}

  @Test
  void orderOfTheFieldsDoesNotMatter() {
    assertThat(hash(Reordered.class)).isEqualTo(hash(Before.class));
  }

  @Test
  void fieldAddedRemovedRetypedOrRenamedIsAnotherSchema() {
    assertThat(
            List.of(
                hash(Before.class),
                hash(Grown.class),
                hash(Shrunk.class),
                hash(Retyped.class),
                hash(Renamed.class)))
        .doesNotHaveDuplicates();
  }

  static class Deep {
    record Address(String city) {}

    record Person(List<Map<String, Address>> homes) {}
  }

  static class Deeper {
    record Address(String city, String street) {}

    record Person(List<Map<String, Address>> homes) {}
  }

  @Test
  void changeFarDownIsAnotherSchema() {
    assertThat(hash(Deep.Person.class)).isNotEqualTo(hash(Deeper.Person.class));
  }

  static class TwoShapes {
    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME)
    @JsonSubTypes({@JsonSubTypes.Type(value = Circle.class, name = "circle")})
    interface Shape {}

    record Circle(double radius) implements Shape {}

    record Drawing(Shape shape) {}
  }

  static class ThreeShapes {
    @JsonTypeInfo(use = JsonTypeInfo.Id.NAME)
    @JsonSubTypes({@JsonSubTypes.Type(value = Circle.class, name = "circle")})
    interface Shape {}

    record Circle(double radius, String colour) implements Shape {}

    record Drawing(Shape shape) {}
  }

  @Test
  void subtypesBelongToTheSchema() {
    assertThat(hash(TwoShapes.Drawing.class)).isNotEqualTo(hash(ThreeShapes.Drawing.class));
  }

  record Tree(String name, List<Tree> children) {}

  @Test
  void typeThatContainsItselfHasASchema() {
    assertThat(hash(Tree.class)).isEqualTo(hash(Tree.class)).hasSize(16);
  }

  /** Another process, built from another commit, must come to the same. */
  @Test
  void hashIsFixed() {
    assertThat(hash(Before.class)).isEqualTo("4c53ce5914bd9513");
  }
}
