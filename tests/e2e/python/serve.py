"""An OpenID Connect provider made of Django and django-oauth-toolkit, on loopback, with nothing that outlives it."""

import os
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "provider.settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.contrib.auth import get_user_model  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from oauth2_provider.models import get_application_model  # noqa: E402


class Handler(WSGIRequestHandler):
    """Nobody keeps the one thread waiting."""

    timeout = 5


def fill(given):
    """The people and the one client."""
    for name, person in given["people"].items():
        get_user_model().objects.create_user(name, password=person["password"])
    application = get_application_model()
    application.objects.create(
        name="Connect Server",
        client_id=given["client_id"],
        client_secret=given["client_secret"],
        client_type=application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=application.GRANT_AUTHORIZATION_CODE,
        redirect_uris=given["redirect_uri"],
        algorithm=application.RS256_ALGORITHM,
    )


def main():
    """Serves until it is stopped."""
    given = settings.GIVEN
    call_command("migrate", run_syncdb=True, verbosity=0)
    fill(given)
    server = make_server("127.0.0.1", given["port"], get_wsgi_application(), handler_class=Handler)
    print(f"listening at http://localhost:{given['port']}/o", flush=True)
    server.serve_forever()


main()
