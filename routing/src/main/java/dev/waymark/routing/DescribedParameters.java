package dev.waymark.routing;

import java.sql.ParameterMetaData;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;

/** What a server said of a statement's parameters, kept. An immutable value. */
final class DescribedParameters implements ParameterMetaData {
  private final List<Parameter> parameters;

  private record Parameter(
      int nullable,
      boolean signed,
      int precision,
      int scale,
      int type,
      String name,
      String className,
      int mode) {}

  private DescribedParameters(List<Parameter> parameters) {
    this.parameters = List.copyOf(parameters);
  }

  static DescribedParameters of(ParameterMetaData told) throws SQLException {
    List<Parameter> parameters = new ArrayList<>();
    for (int i = 1; i <= told.getParameterCount(); i++) {
      parameters.add(
          new Parameter(
              told.isNullable(i),
              told.isSigned(i),
              told.getPrecision(i),
              told.getScale(i),
              told.getParameterType(i),
              told.getParameterTypeName(i),
              told.getParameterClassName(i),
              told.getParameterMode(i)));
    }
    return new DescribedParameters(parameters);
  }

  private Parameter at(int number) throws SQLException {
    if (number < 1 || number > parameters.size()) {
      throw new SQLException(
          "There is no parameter " + number + " of " + parameters.size(), "22023");
    }
    return parameters.get(number - 1);
  }

  @Override
  public int getParameterCount() {
    return parameters.size();
  }

  @Override
  public int isNullable(int number) throws SQLException {
    return at(number).nullable();
  }

  @Override
  public boolean isSigned(int number) throws SQLException {
    return at(number).signed();
  }

  @Override
  public int getPrecision(int number) throws SQLException {
    return at(number).precision();
  }

  @Override
  public int getScale(int number) throws SQLException {
    return at(number).scale();
  }

  @Override
  public int getParameterType(int number) throws SQLException {
    return at(number).type();
  }

  @Override
  public String getParameterTypeName(int number) throws SQLException {
    return at(number).name();
  }

  @Override
  public String getParameterClassName(int number) throws SQLException {
    return at(number).className();
  }

  @Override
  public int getParameterMode(int number) throws SQLException {
    return at(number).mode();
  }

  @Override
  public <T> T unwrap(Class<T> type) throws SQLException {
    if (type.isInstance(this)) {
      return type.cast(this);
    }
    throw new SQLException("Not a wrapper for " + type.getName());
  }

  @Override
  public boolean isWrapperFor(Class<?> type) {
    return type.isInstance(this);
  }
}
