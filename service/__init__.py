"""The REST service around `models.Classifier`; see `app.create_app`."""
