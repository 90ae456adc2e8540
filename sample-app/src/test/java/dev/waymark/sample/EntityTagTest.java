package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class EntityTagTest {
  private static final EntityTag TAG = EntityTag.of(ApiVersion.V1, "1.0.16B374D8");

  @Test
  void versionsOfTheApiHaveDifferentTags() {
    assertThat(TAG.text()).isEqualTo("\"v1.1.0.16B374D8\"");
    assertThat(EntityTag.of(ApiVersion.V2, "1.0.16B374D8")).isNotEqualTo(TAG);
  }

  @Test
  void aPagesTagTellsOfEachRowTheirOrderAndWhatFollows() {
    assertThat(EntityTag.ofPage(ApiVersion.V1, List.of("1@a", "2@b"), null))
        .isEqualTo(EntityTag.ofPage(ApiVersion.V1, List.of("1@a", "2@b"), null))
        .isNotEqualTo(EntityTag.ofPage(ApiVersion.V1, List.of("2@b", "1@a"), null))
        .isNotEqualTo(EntityTag.ofPage(ApiVersion.V1, List.of("1@a", "2@c"), null))
        .isNotEqualTo(EntityTag.ofPage(ApiVersion.V1, List.of("1@a", "2@b"), "more"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "*",
        "\"v1.1.0.16B374D8\"",
        "W/\"v1.1.0.16B374D8\"",
        "\"x\", \"v1.1.0.16B374D8\"",
        " \"x\" ,\t\"v1.1.0.16B374D8\" "
      })
  void ifNoneMatchKnowsTheTag(String header) {
    assertThat(TAG.isKnownTo(header)).isTrue();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "\"x\"", "v1.1.0.16B374D8", "\"v1.1.0.16B374D8", "W/", ",,,", "\"a\"\"b\""})
  void ifNoneMatchDoesNotKnowTheTag(String header) {
    assertThat(TAG.isKnownTo(header)).isFalse();
  }

  @Test
  void aChangeWithoutAConditionIsRefused() {
    assertThat(catchThrowableOfType(Refusal.class, () -> EntityTag.ifMatch(null)).problem())
        .isEqualTo(Problem.PRECONDITION_REQUIRED);
  }

  @Test
  void aStarAllowsWhateverIsThere() {
    EntityTag.ifMatch(" * ").check(TAG);
  }

  @Test
  void oneOfSeveralTagsAllows() {
    EntityTag.ifMatch("\"x\", " + TAG.text()).check(TAG);
  }

  @ParameterizedTest
  @ValueSource(strings = {"\"x\"", "W/\"v1.1.0.16B374D8\""})
  void otherTagsAndWeakOnesFail(String header) {
    Refusal refusal =
        catchThrowableOfType(Refusal.class, () -> EntityTag.ifMatch(header).check(TAG));

    assertThat(refusal.problem()).isEqualTo(Problem.PRECONDITION_FAILED);
    assertThat(refusal.headers()).containsEntry("ETag", TAG.text());
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "x", "\"x", "\"a\" \"b\"", "**", "\"a\",,", "\"a\u0000\""})
  void malformedConditionsAreRefused(String header) {
    assertThat(catchThrowableOfType(Refusal.class, () -> EntityTag.ifMatch(header)).problem())
        .isEqualTo(Problem.INVALID_INPUT);
  }
}
