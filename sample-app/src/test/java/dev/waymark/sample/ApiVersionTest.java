package dev.waymark.sample;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ApiVersionTest {
  @Test
  void whoSaysNothingGetsTheFirst() {
    assertThat(resolve("/api/users", "", "")).isEqualTo(ApiVersion.V1);
  }

  @ParameterizedTest
  @CsvSource({
    "/api/v2/users, '', ''",
    "/api/users, 2, ''",
    "/api/users, '', 2",
    "/api/v2/users, 2, 2",
    "/api/users, ' 2 ', 2",
    "/api/v2, '', ''"
  })
  void eachWayOfAskingLeadsToTheSame(String path, String header, String parameter) {
    assertThat(resolve(path, header, parameter)).isEqualTo(ApiVersion.V2);
  }

  @ParameterizedTest
  @CsvSource({
    "/api/v1/users, 2, ''",
    "/api/v1/users, '', 2",
    "/api/users, 1, 2",
    "/api/users, 1|2, ''",
    "/api/users, '', 1|2",
    "/api/v2/users, 2, 3"
  })
  void waysThatDisagreeAreAConflict(String path, String header, String parameter) {
    Refusal refusal = catchThrowableOfType(Refusal.class, () -> resolve(path, header, parameter));

    assertThat(refusal.problem()).isEqualTo(Problem.VERSION_CONFLICT);
  }

  @ParameterizedTest
  @CsvSource({
    "/api/v3/users, '', ''",
    "/api/v1.1/users, '', ''",
    "/api/v01/users, '', ''",
    "/api/users, two, ''",
    "/api/users, '', 0",
    "/api/users, v2, ''"
  })
  void otherVersionsAreUnknown(String path, String header, String parameter) {
    Refusal refusal = catchThrowableOfType(Refusal.class, () -> resolve(path, header, parameter));

    assertThat(refusal.problem()).isEqualTo(Problem.UNKNOWN_VERSION);
  }

  private static ApiVersion resolve(String path, String header, String parameter) {
    return ApiVersion.resolve(path, values(header), values(parameter));
  }

  private static List<String> values(String text) {
    return text.isEmpty() ? List.of() : Arrays.asList(text.split("\\|"));
  }
}
