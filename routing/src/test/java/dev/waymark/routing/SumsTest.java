package dev.waymark.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.sql.SQLException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SumsTest {
  /** What PostgreSQL 18 gives for the same division of numerics. */
  @ParameterizedTest
  @CsvSource({
    "1, 3, 0.33333333333333333333",
    "10, 4, 2.5000000000000000",
    "0, 7, 0.00000000000000000000",
    "45, 9, 5.0000000000000000",
    "-7, 2, -3.5000000000000000",
    "100000, 3, 33333.333333333333",
    "9999, 9999, 1.00000000000000000000",
    "12345678901234567890, 7, 1763668414462081127",
    "0.001, 3, 0.00033333333333333333",
    "1.10000000000000000000000000, 3, 0.36666666666666666666666667"
  })
  void averagesHaveTheDigitsOfTheServers(String sum, long count, String quotient) {
    assertThat(Sums.divide(new BigDecimal(sum), BigDecimal.valueOf(count)))
        .isEqualTo(new BigDecimal(quotient));
  }

  @ParameterizedTest
  @CsvSource({
    "2.0, 2",
    "0.1, 0.1",
    "-0.0, -0",
    "1e15, 1e+15",
    "123456789012345, 123456789012345",
    "0.0001, 0.0001",
    "0.00001, 1e-05",
    "1.5e300, 1.5e+300",
    "NaN, NaN",
    "-Infinity, -Infinity"
  })
  void floatingPointNumbersAreWrittenAsTheServerDoes(double value, String text) {
    assertThat(Sums.text(value, 15)).isEqualTo(text);
  }

  @Test
  void sumThatDoesNotFitIsRefusedAsByTheServer() {
    assertThatThrownBy(() -> Sums.add(ColumnKind.WHOLE, Long.MAX_VALUE, 1L))
        .isInstanceOf(SQLException.class)
        .hasMessage("bigint out of range");
  }

  @Test
  void whatIsNoNumberStaysNone() throws SQLException {
    assertThat(Sums.add(ColumnKind.DECIMAL, Double.NaN, new BigDecimal("1"))).isEqualTo(Double.NaN);
    assertThat(Sums.add(ColumnKind.DECIMAL, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY))
        .isEqualTo(Double.NaN);
  }
}
