"""The Streamlit pieces that pages share.

resources     what all sessions of a server share: the store, the data sets, downloads
frame         what surrounds every page
address       the page's URL: the configuration and the run it shows
config_form   the sidebar in which a run is set up
data_notice   fetching a data set, or saying why it cannot be had
run_picker    which run is shown
preview       what a configuration will be and cost, before it is started
run_view      a run as it stands, live while it is active
"""
