"""A Cognito trigger: it changes the event and gives it back."""


def lambda_handler(event, context):
    if event["triggerSource"] not in ("PreSignUp_SignUp", "PreSignUp_AdminCreateUser"):
        raise ValueError("unexpected trigger " + event["triggerSource"])
    attributes = event["request"]["userAttributes"]
    domain = attributes.get("email", "").rpartition("@")[2]
    event["response"]["autoConfirmUser"] = domain == "example.com"
    event["response"]["autoVerifyEmail"] = "email" in attributes
    event["response"]["autoVerifyPhone"] = "phone_number" in attributes
    return event
