import logging

logger = logging.getLogger()
logger.setLevel(logging.INFO)


def lambda_handler(event, context):
    logger.debug("not shown")
    logger.info("got %s", event["what"])
    logging.getLogger("app.db").warning("slow query")
    try:
        1 / 0
    except ZeroDivisionError:
        logger.exception("division failed")
    return "logged"
