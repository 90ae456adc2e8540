package dev.waymark.sample;

import java.math.BigDecimal;
import java.sql.SQLException;
import java.util.UUID;

/**
 * Takes money and gives it back. It is asked from elsewhere, so an answer may be lost, and a
 * question may arrive long after its sender has given up: whoever had no answer asks again, with
 * the same id, and gets the one that there was.
 */
interface PaymentService {
  /** What became of a payment. */
  enum Answer {
    /** The money is here. */
    PAID,
    /** It never will be: there was not enough. Nothing was taken. */
    DECLINED,
    /** The payment was called off, before or after it was made; nothing is kept. */
    CALLED_OFF
  }

  /**
   * Takes an amount, once, however often it is asked.
   *
   * @param id of the payment, chosen by the asker
   * @param userId who pays
   * @throws SQLException or a {@link dev.waymark.WaymarkException} if the answer is not known
   */
  Answer pay(UUID id, long userId, BigDecimal amount) throws SQLException;

  /**
   * Gives the amount back, once, if it was taken; from here on the payment cannot be made any more,
   * also by a question that is still on its way.
   *
   * @throws SQLException or a {@link dev.waymark.WaymarkException} if it is not known whether it
   *     has happened
   */
  void callOff(UUID id, long userId, BigDecimal amount) throws SQLException;
}
